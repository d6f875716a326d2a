import Devices
import GuestMemory
import LinuxSystem
import TestSupport
import Virtio

/// A socket device, with clients and services of the host.
final class VsockModel: DeviceModel {
    private final class Host {
        let directory = TemporaryDirectory()
        let listeners: VsockListeners
        let service: UnixListener
        var clients: [Client] = []

        init() throws {
            let base = directory.path("s")
            listeners = try VsockListeners(connectPath: base, directPorts: [.init(path: directory.path("d"), guestPort: 3)])
            service = try UnixListener(path: "\(base)_1", backlog: 2)
            try service.setNonBlocking()
        }

        var path: String { directory.path("s") }
    }

    private final class Client {
        let stream: UnixStream

        init(_ stream: consuming UnixStream) { self.stream = stream }
    }

    private static let cid: UInt64 = 42
    /// Of virtio 1.2, 5.10.6.
    private static let headerSize = 44

    private let host: Host
    private let thread: LoopThread
    let device: any VirtioDevice
    let servedQueue = 1

    convenience init(_ input: inout FuzzInput) throws {
        ignoreWriteSignals()
        try self.init(Host())
    }

    private init(_ host: Host) throws {
        self.host = host
        var made: VsockDevice?
        let listeners = host.listeners
        thread = try LoopThread { loop in
            made = try VsockDevice(guestCID: Self.cid, host: listeners, loop: loop, limits: VsockLimits(connections: 8, handshakes: 2))
        }
        guard let made else { throw Errno.invalidArgument }
        device = made
    }

    func renewed() throws -> any DeviceModel { try VsockModel(host) }

    func settle() {
        for _ in 0..<3 { thread.loop.performAndWait {} }
    }

    func request(_ input: inout FuzzInput, queue: Int, _ bench: Bench) throws -> [MockDriver.Buffer] {
        guard queue == 1 else { return [bench.writable(input.pick([4096, 300, 44, 45, 43, 0, 65536]))] }
        if input.once(in: 2), let answer = try answer(&input, bench) { return [try bench.readable(answer)] }
        let operation = input.once(in: 16) ? input.number() : UInt16(1 + input.below(7))
        let payload = operation == 5 ? [UInt8](repeating: 5, count: input.pick([1, 0, 100, 5000, 0xFF00])) : []
        var header = [UInt8](repeating: 0, count: Self.headerSize)
        header.put(input.once(in: 32) ? input.number() : Self.cid, at: 0)
        header.put(input.once(in: 32) ? input.number() : 2 as UInt64, at: 8)
        let (ours, theirs) = (port(&input), port(&input))
        header.put(ours, at: 16)
        header.put(theirs, at: 20)
        header.put(input.once(in: 16) ? input.number() : UInt32(payload.count), at: 24)
        header.put(input.once(in: 32) ? input.number() : 1 as UInt16, at: 28)
        header.put(operation, at: 30)
        header.put(UInt32(input.below(4)), at: 32)
        header.put(input.once(in: 4) ? input.number() : 1 << 18 as UInt32, at: 36)
        header.put(input.once(in: 4) ? input.number() : 0 as UInt32, at: 40)
        if input.once(in: 16) { header = Array(header.prefix(input.below(Self.headerSize))) }
        if input.once(in: 2) { return [try bench.readable(header + payload)] }
        return [try bench.readable(header), try bench.readable(payload)]
    }

    /// What belongs to the connection of a packet that the guest was sent: so connections come to be, and live.
    private func answer(_ input: inout FuzzInput, _ bench: Bench) throws -> [UInt8]? {
        let ring = bench.rings[0]
        guard ring.usedIndex > 0 else { return nil }
        let number = ring.usedIndex &- 1 &- UInt16(input.below(Int(min(ring.usedIndex, 4))))
        let used = ring.used(number)
        guard used.count >= UInt32(Self.headerSize), used.id < UInt32(ring.size),
              let address = try? bench.memory.read(UInt64.self, at: ring.descriptorTable + 16 * UInt64(used.id)),
              let packet = try? bench.memory.bytes(at: address, count: Self.headerSize) else { return nil }
        // RESPONSE to a REQUEST; else data and credit mostly.
        let isRequest = packet.get(UInt16.self, at: 30) == 1
        let operation = isRequest && !input.once(in: 8) ? 2 : input.pick([5, 5, 5, 6, 7, 4, 3] as [UInt16])
        let payload = operation == 5 ? [UInt8](repeating: 5, count: input.pick([1, 100, 5000, 0xFF00])) : []
        var header = [UInt8](repeating: 0, count: Self.headerSize)
        header.replaceSubrange(0..<16, with: packet[8..<16] + packet[0..<8])
        header.replaceSubrange(16..<24, with: packet[20..<24] + packet[16..<20])
        header.put(UInt32(payload.count), at: 24)
        header.put(1 as UInt16, at: 28)
        header.put(operation, at: 30)
        header.put(operation == 4 ? UInt32(1 + input.below(3)) : 0, at: 32)
        header.put(input.pick([1 << 18, 1 << 18, 1, 0, .max] as [UInt32]), at: 36)
        header.put(input.once(in: 4) ? input.number() : 0 as UInt32, at: 40)
        return header + payload
    }

    /// Few, so that packets meet connections: services and the ports that the device gives its clients.
    private func port(_ input: inout FuzzInput) -> UInt32 {
        input.once(in: 16) ? input.number() : input.pick([1, 2, 3, 52, 1 << 30, (1 << 30) + 1, (1 << 30) + 2])
    }

    func hostEvent(_ input: inout FuzzInput) throws {
        switch input.below(8) {
        case 0: try connect(to: host.directory.path("d"))
        case 1: try connect(to: host.path)
        case 2:
            try connect(to: host.path)
            _ = try? Array("CONNECT 52\n".utf8).withUnsafeBytes { try host.clients.last?.stream.send($0) }
        case 3: if let index = client(&input) { host.clients.remove(at: index) }
        case 4: if let index = client(&input) { host.clients[index].stream.endSending() }
        case 5:
            if let stream = try host.service.acceptWaiting() { host.clients.append(Client(stream)) }
        case 6:
            var bytes = [UInt8](repeating: 0, count: 8192)
            if let index = client(&input) { _ = try? bytes.withUnsafeMutableBytes { try host.clients[index].stream.receive(into: $0) } }
        default:
            let text = input.pick(["CONNECT 52\n", "CONNECT 3\nmore", "CONN", "CONNECT 99999999999\n", "x", "\n"])
            let bytes = input.once(in: 4) ? [UInt8](repeating: 1, count: 20_000) : Array(text.utf8)
            if let index = client(&input) { _ = try? bytes.withUnsafeBytes { try host.clients[index].stream.send($0) } }
        }
    }

    private func client(_ input: inout FuzzInput) -> Int? {
        host.clients.isEmpty ? nil : input.below(host.clients.count)
    }

    private func connect(to path: String) throws {
        if host.clients.count > 16 { host.clients.removeFirst() }
        let client = Client(try UnixStream())
        if (try? client.stream.connect(to: path)) == true { host.clients.append(client) }
    }

    /// A request for a port at which nobody listens is answered.
    func proveThatItWorks(_ bench: Bench) throws {
        host.clients = []
        for _ in 0..<4 { try bench.rings[0].add([bench.writable(4096)]) }
        var header = [UInt8](repeating: 0, count: Self.headerSize)
        header.put(Self.cid, at: 0)
        header.put(2 as UInt64, at: 8)
        header.put(7 as UInt32, at: 16)
        header.put(777 as UInt32, at: 20)
        header.put(1 as UInt16, at: 28)
        header.put(1 as UInt16, at: 30)
        try bench.rings[1].add([try bench.readable(header)])
        bench.driver.kick(0)
        bench.driver.kick(1)
        bench.wait(1, used: 1)
        bench.wait(0, used: 1)
    }

    func finish() { host.clients = [] }
}
