import Devices
import Glibc
import GuestMemory
import LinuxSystem
import Synchronization
import TestSupport
import Virtio

/// A network device on one end of a socket pair; the run holds the other end.
final class NetworkModel: DeviceModel {
    /// What a restored machine has as well.
    private final class Network: Sendable {
        let kind: SocketKind
        let settings: NetworkSettings
        let backend: NetworkBackend
        private let other: Mutex<Int32>

        init(_ kind: SocketKind, _ settings: NetworkSettings) throws {
            self.kind = kind
            self.settings = settings
            let (port, raw) = try Self.connection(kind)
            backend = NetworkBackend(name: "--net fuzz", ports: [port])
            other = Mutex(raw)
        }

        deinit { close(raw) }

        /// The other end.
        var raw: Int32 { other.withLock { $0 } }

        /// A new connection in the place of the one that there is.
        func connect() throws {
            let (port, raw) = try Self.connection(kind)
            backend.disconnect()
            backend.connect([port])
            close(other.withLock { old in
                defer { old = raw }
                return old
            })
        }

        private static func connection(_ kind: SocketKind) throws -> (port: NetworkPort, raw: Int32) {
            let pair = try SocketPair(kind)
            let second = try FileDescriptor.duplicate(of: pair.second.raw)
            try second.setNonBlocking()
            let raw = second.release()
            return (try NetworkPort(socket: pair.takeFirst()), raw)
        }
    }

    private static let mac: [UInt8] = [0x02, 0x11, 0x22, 0x33, 0x44, 0x55]

    private let network: Network
    private let thread: LoopThread
    let device: any VirtioDevice
    let servedQueue = 1

    convenience init(_ input: inout FuzzInput) throws {
        ignoreWriteSignals()
        let rates = input.once(in: 8) ? DiskRates(requests: DiskRates.Rate(perSecond: 10_000)) : DiskRates()
        let settings = NetworkSettings(mac: Self.mac, mtu: input.pick([nil, 1500, 68, 65535]), receiveRates: rates,
                                       transmitRates: rates)
        try self.init(try Network(input.pick([.messages, .stream]), settings))
    }

    private init(_ network: Network) throws {
        self.network = network
        thread = try LoopThread()
        device = try NetworkDevice(network.settings, backend: network.backend, loops: [thread.loop])
    }

    func renewed() throws -> any DeviceModel { try NetworkModel(network) }

    func settle() {
        for _ in 0..<2 { thread.loop.performAndWait {} }
    }

    func request(_ input: inout FuzzInput, queue: Int, _ bench: Bench) throws -> [MockDriver.Buffer] {
        switch queue {
        case 0: return (0...input.below(3)).map { _ in bench.writable(input.pick([1526, 2048, 12, 65550, 11, 100, 0])) }
        case 1: return try frame(&input, bench)
        default:
            var buffers = [try bench.readable(command(&input))]
            if !input.once(in: 8) { buffers.append(bench.writable(input.pick([1, 1, 0, 2]))) }
            return buffers
        }
    }

    private func frame(_ input: inout FuzzInput, _ bench: Bench) throws -> [MockDriver.Buffer] {
        let header = input.once(in: 8) ? input.take(12) : [UInt8](repeating: 0, count: 12)
        let count = input.pick([60, 14, 1514, 13, 0, 65535, 9000])
        let bytes = header + destination(&input) + [UInt8](repeating: 1, count: max(count - 6, 0))
        guard input.once(in: 2) else { return [try bench.readable(bytes)] }
        let cut = min(input.below(40), bytes.count)
        return [try bench.readable(Array(bytes[..<cut])), try bench.readable(Array(bytes[cut...]))]
    }

    private func destination(_ input: inout FuzzInput) -> [UInt8] {
        input.pick([Self.mac, [255, 255, 255, 255, 255, 255], [1, 0, 94, 0, 0, 1], [2, 0, 0, 0, 0, 9]])
    }

    /// Class and command of 5.1.6.5, with what belongs to them, about.
    private func command(_ input: inout FuzzInput) -> [UInt8] {
        let kind = input.pick([0, 0, 1, 1, 2, 4, 255] as [UInt8])
        let number = UInt8(input.below(7))
        switch (kind, number) {
        case (1, 0):
            var bytes: [UInt8] = [1, 0]
            for _ in 0..<2 {
                let count = input.once(in: 4) ? input.number(UInt32.self) : UInt32(input.below(4))
                var word = [UInt8](repeating: 0, count: 4)
                word.put(count, at: 0)
                bytes += word + input.take(6 * Int(min(count, 80)))
            }
            return bytes
        case (1, _): return [1, number] + input.take(6)
        case (4, _): return [4, number] + input.take(2)
        default: return [kind, number] + input.some(3)
        }
    }

    func hostEvent(_ input: inout FuzzInput) throws {
        let choice = input.below(8)
        trace("host event \(choice)")
        switch choice {
        case 0: network.backend.setLink(up: input.once(in: 2))
        case 1: try network.connect()
        case 2: drain()
        case 3 where network.kind == .stream: send(input.some(12))
        default:
            let count = input.pick([60, 14, 13, 0, 1514, 65535, 65536, 9000])
            var bytes = destination(&input) + [UInt8](repeating: 3, count: max(count - 6, 0))
            bytes = Array(bytes.prefix(count))
            if network.kind == .stream {
                var length = [UInt8](repeating: 0, count: 4)
                length.put(UInt32(count).byteSwapped, at: 0)
                bytes = length + bytes
            }
            send(bytes)
        }
    }

    private func send(_ bytes: [UInt8]) {
        let raw = network.raw
        // What does not fit is lost, and of a stream a part: so lengths come to mean something else.
        _ = try? bytes.withUnsafeBytes { try LinuxSystem.write(raw, $0) }
    }

    private func drain() {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        for _ in 0..<64 where recv(network.raw, &bytes, bytes.count, 0) <= 0 { return }
    }

    /// A frame is taken from the guest.
    func proveThatItWorks(_ bench: Bench) throws {
        try bench.rings[1].add([try bench.readable([UInt8](repeating: 0, count: 12) + Self.mac + [UInt8](repeating: 9, count: 54))])
        // A network whose other end is full takes nothing: this one is empty.
        try network.connect()
        network.backend.setLink(up: true)
        bench.driver.kick(1)
        bench.wait(1, used: 1)
    }
}
