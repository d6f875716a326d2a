import Devices
import Glibc
import LinuxSystem
import TestSupport
import Testing
import Virtio

private typealias Net = NetworkHarness

@Suite("Network device's control queue", .timeLimit(.minutes(1)))
struct NetworkControlTests {
    private static let other: [UInt8] = [0x02, 0xAA, 0, 0, 0, 1]
    private static let group: [UInt8] = [0x01, 0, 0x5E, 0, 0, 1]

    @Test("commands are answered by their bounds and by the features", arguments: [
        ([0, 0, 1], 0), ([0, 0, 0], 0), ([0, 0, 2], 1), ([0, 0], 1), ([0, 0, 1, 1], 1), ([0, 1, 1], 0), ([0, 2, 1], 0),
        ([0, 5, 1], 0), ([0, 6, 1], 1),
        ([1, 1] + other, 0), ([1, 1] + group, 1), ([1, 1, 2, 3], 1), ([1, 1] + other + [0], 1),
        ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0), ([1, 0, 1, 0, 0, 0] + other + [1, 0, 0, 0] + group, 0),
        ([1, 0, 2, 0, 0, 0] + other + [0, 0, 0, 0], 1), ([1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], 1), ([1, 0], 1), ([1, 2], 1),
        ([4, 0, 1, 0], 1), ([2, 0, 1, 0], 1), ([99, 0], 1),
    ] as [([UInt8], UInt8)])
    func answers(command: [UInt8], answer: UInt8) throws {
        let (backend, raw) = try makeSocketBackend(.messages)
        defer { close(raw) }
        #expect(try Net(backend).command(command) == answer)
    }

    @Test("a table of more addresses than are kept lets all of their kind through")
    func overflow() throws {
        let many = [UInt8](repeating: 2, count: 65 * 6)
        #expect(try passes([[0, 0, 0], [1, 0, 65, 0, 0, 0] + many + [0, 0, 0, 0]], Self.other))
        #expect(try !passes([[0, 0, 0], [1, 0, 65, 0, 0, 0] + many + [0, 0, 0, 0]], Self.group))
    }

    @Test("frames pass by destination and mode", arguments: [
        ([], other, true), ([[0, 0, 0]], other, false), ([[0, 0, 0]], Net.mac, true),
        ([[0, 0, 0]], [UInt8](repeating: 0xFF, count: 6), true), ([[0, 0, 0], [0, 5, 1]], [UInt8](repeating: 0xFF, count: 6), false),
        ([[0, 0, 0]], group, false), ([[0, 0, 0], [0, 1, 1]], group, true), ([[0, 0, 0], [0, 2, 1]], other, true),
        ([[0, 0, 0], [0, 1, 1], [0, 3, 1]], group, false), ([[0, 0, 0], [0, 4, 1]], Net.mac, false),
        ([[0, 0, 0], [1, 0, 1, 0, 0, 0] + other + [0, 0, 0, 0]], other, true),
        ([[0, 0, 0], [1, 0, 0, 0, 0, 0, 1, 0, 0, 0] + group], group, true),
        ([[0, 0, 0], [1, 1] + other], other, true), ([[0, 0, 0], [1, 1] + other], Net.mac, false),
    ] as [([[UInt8]], [UInt8], Bool)])
    func modes(commands: [[UInt8]], destination: [UInt8], isExpected: Bool) throws {
        #expect(try passes(commands, destination) == isExpected)
    }

    /// Whether a frame to this address comes through, after these commands.
    private func passes(_ commands: [[UInt8]], _ destination: [UInt8]) throws -> Bool {
        let (backend, raw) = try makeSocketBackend(.messages)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: false)
        let net = try Net(backend)
        for command in commands { #expect(try net.command(command) == 0) }
        try net.offer(4, bytes: 1526)
        try end.send(Net.frame(60, mark: 1, to: destination))
        // It has been looked at before the mode changes: the device has read it, on the thread that takes the command, too.
        while unreadBytes(end.file.raw) > 0 { sched_yield() }
        #expect(try net.command([0, 0, 1]) == 0)
        try end.send(Net.frame(60, mark: 2))
        let first = try net.received(0).frame
        #expect(first == Net.frame(60, mark: 1, to: destination) || first == Net.frame(60, mark: 2))
        return first == Net.frame(60, mark: 1, to: destination)
    }

    @Test("random commands are answered and never stop the device")
    func random() throws {
        let (backend, raw) = try makeSocketBackend(.messages)
        defer { close(raw) }
        let net = try Net(backend)
        let seed = UInt64.random(in: 0..<UInt64.max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<500 {
            let answer = try net.command([UInt8(random.below(6)), UInt8(random.below(7))] + random.bytes(random.below(40)))
            #expect(answer < 2, "seed \(seed)")
        }
        #expect(net.driver.status & MMIO.needsReset == 0, "seed \(seed)")
    }
}
