import MachineProtocol
import Testing
import TestSupport
import Wire

@Suite("Machine description as a message")
struct MachineDescriptionTests {
    static let full = MachineDescription(
        kernel: "/boot/vmlinuz", initrd: "/boot/initrd", bootProtocol: .pvh, commandLine: "quiet root=/dev/vda",
        disks: [DiskDescription(path: "a.raw"), DiskDescription(path: "b.raw", readOnly: true, serial: "S-1"),
                DiskDescription(path: "c.raw", creationSize: 1 << 40, cache: .none, engine: .ioUring, queueCount: 16,
                                requestLimit: .init(perSecond: 1000), byteLimit: .init(perSecond: 1 << 30, burst: 1)),
                DiskDescription(path: "d.raw", cache: .writethrough, engine: .threads)],
        shares: [ControlMessageTests.share, ShareDescription(path: "/home", tag: "home", ownership: .mapped)],
        shareRoots: ["all", "none"],
        vsock: VsockDescription(backend: .user(path: "/v"), contextID: 77, forwardedPorts: [1, 2374]),
        interfaces: [
            NetworkDescription(.tap(name: "t0"), mac: [2, 1, 2, 3, 4, 5], mtu: 9000, queueCount: 4, vhost: .on,
                               receiveLimit: .init(bits: 1, packets: .max), transmitLimit: .init(bits: .max), capturePath: "/p"),
            NetworkDescription(.tap(name: nil)), NetworkDescription(.descriptor(.max)),
            NetworkDescription(.user(UserNetworkDescription(published: [
                PublishedPort(address: "::1", host: 1, guest: .max, transport: .udp), PublishedPort(host: 2, guest: 3),
            ], reachesHost: true, addresses: .init(guest: "10.0.2.15", prefixLength: 24, gateway: "10.0.2.2", resolver: "10.0.2.3")))),
        ], name: "web",
        stateDirectory: "/run/svmm/web",
        processorCount: 64, memorySize: 64 << 30, console: .unixSocket("/run/console"),
        consoleModel: .virtio, hasBalloon: false, entropyRate: 1 << 40, onReboot: .restart,
        graceSeconds: 2.5, dryRun: true,
        restore: RestoreDescription(directory: "/saved", prefault: true, stepsClock: false, isTemplate: true), template: "/template")

    @Test("comes back as it was", arguments: [
        full, MachineDescription(kernel: ""), MachineDescription(kernel: "k", vsock: VsockDescription(backend: .vhost)),
        MachineDescription(kernel: "k", console: .none),
        MachineDescription(kernel: "k", bootProtocol: .linux, console: .file("/dev/null"), graceSeconds: .infinity),
    ])
    func roundTrip(description: MachineDescription) throws {
        #expect(try MachineDescription(decoding: description.encoded()) == description)
    }

    @Test("is refused when it ends early, wherever that is")
    func truncation() {
        let bytes = Self.full.encoded()
        for count in bytes.indices {
            #expect(throws: WireError.self, "cut after \(count) bytes") {
                try MachineDescription(decoding: Array(bytes[..<count]))
            }
        }
    }

    @Test("is refused with a byte too many")
    func trailing() {
        let bytes = Self.full.encoded()
        #expect(throws: WireError.trailingBytes(offset: bytes.count)) { try MachineDescription(decoding: bytes + [0]) }
    }

    @Test("is refused in another version")
    func version() {
        var bytes = Self.full.encoded()
        bytes[0] &+= 1
        #expect(throws: WireError.invalidValue(offset: 0, found: UInt64(bytes[0]))) {
            try MachineDescription(decoding: bytes)
        }
    }

    @Test("is refused with more disks, longer paths or a longer serial number than a command line holds or a disk has")
    func limits() {
        let disk = DiskDescription(path: "d")
        #expect(throws: WireError.self) {
            let crowded = MachineDescription(kernel: "k", disks: Array(repeating: disk, count: 1 << 17 + 1))
            return try MachineDescription(decoding: crowded.encoded())
        }
        let long = String(repeating: "x", count: 1 << 17 + 1)
        for description in [
            MachineDescription(kernel: long), MachineDescription(kernel: "k", initrd: long),
            MachineDescription(kernel: "k", disks: [DiskDescription(path: long)]),
            MachineDescription(kernel: "k", disks: [DiskDescription(path: "d", serial: "123456789012345678901")]),
            MachineDescription(kernel: "k", commandLine: long),
            MachineDescription(kernel: "k", console: .file(long)),
        ] {
            #expect(throws: WireError.self) { try MachineDescription(decoding: description.encoded()) }
        }
    }

    @Test("flipped bits give another description or an error, never a crash", arguments: 1...4 as ClosedRange<UInt64>)
    func bitFlips(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let bytes = Self.full.encoded()
        for _ in 0..<5000 {
            var damaged = bytes
            for _ in 0...random.below(4) { damaged[random.below(damaged.count)] ^= 1 << UInt8(random.below(8)) }
            if let description = try? MachineDescription(decoding: damaged) {
                #expect(description.encoded().count == damaged.count, "seed \(seed)")
            }
        }
    }

    @Test("random bytes give an error, never a crash")
    func randomBytes() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<5000 {
            let bytes = [1, 0, 0, 0] + random.bytes(random.below(64))
            _ = try? MachineDescription(decoding: bytes)
        }
    }
}
