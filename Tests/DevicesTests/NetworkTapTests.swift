import AllocationCounter
import CLinux
import Devices
import Glibc
import LinuxSystem
import TestSupport
import Testing
import Virtio

private typealias Net = NetworkHarness

/// With real TAP interfaces, in a network namespace of the test's own.
@Suite("Network device on TAP interfaces", .serialized, .timeLimit(.minutes(2)),
       .enabled(if: canMakeTaps, "needs root and /dev/net/tun"))
struct NetworkTapTests {
    private static let offloads: TapOffloads = [.checksum, .tso4, .tso6, .ecn]

    private static func backend(queues: Int = 1) throws -> (backend: NetworkBackend, name: String) {
        let first = try TapQueue(name: "", isMultiQueue: queues > 1)
        let name = first.name
        try NetworkInterface(name).bringUp()
        var ports = [NetworkPort(first)]
        while ports.count < queues { ports.append(NetworkPort(try TapQueue(name: name, isMultiQueue: true))) }
        return (NetworkBackend(name: "--net tap=\(name)", ports: ports, offloads: offloads), name)
    }

    @Test("frames cross a TAP both ways")
    func traffic() throws {
        try inNetworkNamespace {
            let (backend, name) = try Self.backend()
            let host = try PacketSocket(name)
            let net = try Net(backend)
            try net.offer(100, bytes: 1526)
            var index: UInt16 = 0
            for mark in 1..<40 as Range<UInt8> {
                let frame = Net.frame(60 + 30 * Int(mark), mark: mark)
                try net.send(frame, slot: UInt64(mark), cuts: mark % 2 == 0 ? [12] : [12, 40])
                #expect(try host.receive { $0.count > 14 && $0[12] == 0x88 && $0[14] == mark } == frame)
                try host.send(frame)
                var found = try net.received(index)
                while found.frame[12] != 0x88 { found = try net.received(found.next) }
                #expect(found.frame == frame && found.buffers == 1)
                index = found.next
            }
        }
    }

    @Test("headers that the kernel refuses cost their frame and nothing else")
    func headers() throws {
        try inNetworkNamespace {
            let (backend, name) = try Self.backend()
            let host = try PacketSocket(name)
            let net = try Net(backend)
            let seed = UInt64.random(in: 0..<UInt64.max)
            var random = SplitMix64(seed: seed)
            var sent: UInt16 = 0
            for _ in 0..<500 {
                try net.send(Net.frame(60 + random.below(100)), slot: UInt64(sent % 32), header: random.bytes(12))
                sent += 1
                try net.driver.wait(for: net.transmit, used: sent)
            }
            try net.send(Net.frame(60, mark: 0x77))
            _ = try host.receive { $0 == Net.frame(60, mark: 0x77) }
            #expect(net.driver.status & MMIO.needsReset == 0, "seed \(seed)")
        }
    }

    @Test("a frame longer than what is gathered comes whole, in mergeable buffers")
    func jumbo() throws {
        try inNetworkNamespace {
            let (backend, name) = try Self.backend()
            try NetworkInterface(name).setMTU(9000)
            let host = try PacketSocket(name)
            // Told of 1500, the driver gives room for that, and more later.
            let net = try Net(backend)
            try net.offer(1, bytes: 2048)
            let frame = Net.frame(9014, mark: 3)
            try host.send(frame)
            // More than it needs: the host's own frames on a new interface take some.
            for index in 1..<24 { try net.offer(1, bytes: 2048, first: index) }
            var found = try net.received(0)
            while found.frame[12] != 0x88 { found = try net.received(found.next) }
            #expect(found.frame == frame && found.buffers == 5)
            for index in 24..<60 { try net.offer(1, bytes: 2048, first: index) }
            try host.send(frame)
            found = try net.received(found.next)
            while found.frame[12] != 0x88 { found = try net.received(found.next) }
            #expect(found.frame == frame)
        }
    }

    @Test("several queues: the first until the driver asks for more, then as many as it asks for")
    func multiQueue() throws {
        try inNetworkNamespace {
            let (backend, name) = try Self.backend(queues: 4)
            let host = try PacketSocket(name)
            let net = try Net(backend, features: Net.simple | Net.multiQueue)
            #expect(net.device.queueSizes.count == 9 && net.driver.offeredFeatures & Net.multiQueue != 0)
            net.driver.status = 0
            try net.start(Net.all | Net.multiQueue)
            func pairs(_ count: UInt8) throws -> UInt8 {
                try net.memory.write([4, 0, count, 0, 0xAA], at: Net.commands)
                let before = net.control.usedIndex
                try net.control.add([.readable(Net.commands, 4), .writable(Net.commands + 4, 1)])
                net.driver.kick(8)
                try net.driver.wait(for: net.control, used: before &+ 1)
                return try net.memory.read(UInt8.self, at: Net.commands + 4)
            }
            #expect(try pairs(0) == 1 && pairs(5) == 1 && pairs(4) == 0 && pairs(1) == 0 && pairs(2) == 0 && pairs(1) == 0)
            try net.offer(64, bytes: 1526)
            for mark in 1..<20 as Range<UInt8> {
                try net.send(Net.frame(60, mark: mark))
                #expect(try host.receive { $0.count > 14 && $0[12] == 0x88 && $0[14] == mark } == Net.frame(60, mark: mark))
            }
            try host.send(Net.frame(60, mark: 33))
            var found = try net.received(0)
            while found.frame[12] != 0x88 { found = try net.received(found.next) }
            #expect(found.frame == Net.frame(60, mark: 33))
        }
    }

    @Test("a TAP that goes away is a link down")
    func removed() throws {
        try inNetworkNamespace {
            let (backend, name) = try Self.backend()
            let net = try Net(backend)
            try net.offer(4, bytes: 1526)
            try removeInterface(name)
            while net.driver[MMIO.interruptStatus] & 2 == 0 { try net.driver.line.wait("a configuration interrupt") }
            #expect(!backend.isUp)
        }
    }

    @Test("once warm, frames allocate nothing on the device's thread", arguments: [false, true])
    func allocations(isStream: Bool) throws {
        try inNetworkNamespace {
            // The TAP's frames go round by the packet socket, the stream's by its other end.
            let tap = try Self.backend()
            let pair = try makeSocketBackend(.stream)
            let end = SocketEnd(file: FileDescriptor(owning: pair.raw), isStream: true)
            let host = try PacketSocket(tap.name)
            let net = try Net(isStream ? pair.backend : tap.backend)
            var (index, sent) = (0 as UInt16, 0 as UInt16)
            func round() throws {
                for slot in 0..<64 {
                    try net.offer(1, bytes: 1526, first: Int(index) % 256)
                    let frame = Net.frame(200, mark: UInt8(slot))
                    if isStream { try end.send(frame) } else { try host.send(frame) }
                    let found = try net.received(index)
                    index = found.next
                    try net.send(frame, slot: UInt64(slot), isIndirect: slot % 2 == 0)
                    if isStream { _ = try end.receive() } else { _ = try host.receive { $0.count > 14 && $0[14] == UInt8(slot) } }
                    sent &+= 1
                    try net.driver.wait(for: net.transmit, used: sent)
                }
            }
            for _ in 0..<8 { try round() }
            // Its number in the kernel: the loop's thread is the last one made with this name.
            let thread = try #require(Self.threads(named: "test-loop").max())
            allocation_counter_watch(thread)
            defer { allocation_counter_watch(0) }
            for _ in 0..<8 { try round() }
            #expect(allocation_counter_value() == 0)
        }
    }

    private static func threads(named name: String) -> [pid_t] {
        guard let tasks = opendir("/proc/self/task") else { return [] }
        defer { closedir(tasks) }
        var found: [pid_t] = []
        while let entry = readdir(tasks) {
            let task = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if contents(ofSmallFile: "/proc/self/task/\(task)/comm") == Array("\(name)\n".utf8), let id = pid_t(task) { found.append(id) }
        }
        return found
    }
}

/// Removes an interface of the calling thread's network namespace (RTM_DELLINK by ip(8)).
private func removeInterface(_ name: String) throws {
    let null = try FileDescriptor.open("/dev/null", .readWrite)
    guard let ip = findProgram("ip") ?? ["/usr/sbin/ip", "/sbin/ip"].first(where: { access($0, X_OK) == 0 }) else {
        throw TimeoutError(what: "ip(8)")
    }
    let child = try Subprocess(ip, arguments: ["ip", "link", "delete", name], descriptors: [null.raw, null.raw, 2])
    #expect(child.wait() == 0)
}

@Suite("Packet capture", .timeLimit(.minutes(1)))
struct PacketCaptureTests {
    private let directory = TemporaryDirectory()

    @Test("holds the frames of both directions, as pcap-savefile(5) has it")
    func capture() throws {
        let path = try directory.file("a.pcap", [])
        let capture = try PacketCapture(try .open(path, [.writeOnly, .append]), name: "test")
        let (backend, raw) = try makeSocketBackend(.stream)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: true)
        let net = try Net(backend, settings: NetworkSettings(mac: Net.mac, capture: capture))
        try net.offer(8, bytes: 600)
        let out = Net.frame(100, mark: 1), back = Net.frame(1400, mark: 2)
        try net.send(out, cuts: [12, 50])
        _ = try end.receive()
        try net.driver.wait(for: net.transmit, used: 1)
        try end.send(back)
        _ = try net.received(0)
        net.driver.status = 0
        let bytes = try #require(directory.contents("a.pcap"))
        #expect(Array(bytes.prefix(24)) == [0x4D, 0x3C, 0xB2, 0xA1, 2, 0, 4, 0] + [UInt8](repeating: 0, count: 8) + [0, 0, 4, 0, 1, 0, 0, 0])
        var offset = 24
        for frame in [out, back] {
            #expect(bytes.get(UInt32.self, at: offset + 4) < 1_000_000_000)
            #expect(bytes.get(UInt32.self, at: offset + 8) == UInt32(frame.count))
            #expect(bytes.get(UInt32.self, at: offset + 12) == UInt32(frame.count))
            #expect(Array(bytes[(offset + 16)..<(offset + 16 + frame.count)]) == frame)
            offset += 16 + frame.count
        }
        #expect(offset == bytes.count)
    }

    @Test("a full disk ends the capture at a whole frame, and traffic goes on")
    func full() throws {
        let path = "/dev/full"
        let (backend, raw) = try makeSocketBackend(.messages)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: false)
        #expect(throws: Errno.self) { _ = try PacketCapture(try .open(path, .writeOnly), name: "test") }
        // A file that is kept from growing past its first frame.
        let memfd = memfd_create("capture", UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING))
        let file = FileDescriptor(owning: memfd)
        let capture = try PacketCapture(try file.duplicate(), name: "test of a full disk")
        let net = try Net(backend, settings: NetworkSettings(mac: Net.mac, capture: capture))
        try net.send(Net.frame(100, mark: 1))
        _ = try end.receive()
        try net.driver.wait(for: net.transmit, used: 1)
        #expect(fcntl(memfd, 1033, 4) == 0)  // F_ADD_SEALS, F_SEAL_GROW
        for mark in 2..<5 as Range<UInt8> {
            try net.send(Net.frame(100, mark: mark))
            #expect(try end.receive() == Net.frame(100, mark: mark))
            try net.driver.wait(for: net.transmit, used: UInt16(mark))
        }
        #expect(try file.status().size == 24 + 16 + 100)
    }
}
