import Devices
import Glibc
import GuestMemory
import LinuxSystem
import TestSupport
import Testing
import Virtio

/// A network device behind its registers, a driver for it, and the other end of its network.
final class NetworkHarness {
    typealias Buffer = MockDriver.Buffer

    static let mac: [UInt8] = [0x02, 0x11, 0x22, 0x33, 0x44, 0x55]
    static let checksum: UInt64 = 1, guestChecksum: UInt64 = 1 << 1, mtu: UInt64 = 1 << 3, guestTSO4: UInt64 = 1 << 7
    static let mergeable: UInt64 = 1 << 15, status: UInt64 = 1 << 16, control: UInt64 = 1 << 17, receiveMode: UInt64 = 1 << 18
    static let extra: UInt64 = 1 << 20, multiQueue: UInt64 = 1 << 22, controlMAC: UInt64 = 1 << 23
    /// Without event indices: a driver that waits for interrupts would have to say each time after which one.
    static let all = MMIO.version1 | MMIO.indirect | mergeable | status | control | receiveMode | extra | controlMAC
    static let simple = MMIO.version1 | control | receiveMode

    /// Where frames lie in guest memory.
    static let transmitData: GuestAddress = 0x40_0000
    static let receiveData: GuestAddress = 0x80_0000
    static let commands: GuestAddress = 0x20_0000

    let memory: GuestMemory
    let backend: NetworkBackend
    let device: NetworkDevice
    let driver: TransportDriver
    let receive: MockDriver
    let transmit: MockDriver
    let control: MockDriver
    private let loops: [LoopThread]
    private var usedCommands: UInt16 = 0

    init(_ backend: NetworkBackend, settings: NetworkSettings = NetworkSettings(mac: mac), features: UInt64 = all,
         queueSize: UInt16 = 256) throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 64 << 20)))
        self.backend = backend
        loops = try (0..<backend.maximumPairs).map { _ in try LoopThread() }
        device = try NetworkDevice(settings, backend: backend, loops: loops.map(\.loop))
        driver = try TransportDriver(device, memory: memory)
        receive = MockDriver(memory: memory, size: queueSize, base: 0x1_0000)
        transmit = MockDriver(memory: memory, size: queueSize, base: 0x3_0000)
        control = MockDriver(memory: memory, size: 64, base: 0x5_0000)
        try start(features)
    }

    deinit {
        driver.status = 0
    }

    func start(_ features: UInt64) throws {
        for rings in [receive, transmit, control] { try rings.reset() }
        usedCommands = 0
        guard driver.negotiate(features) else { throw TimeoutError(what: "FEATURES_OK") }
        driver.configure(0, receive)
        driver.configure(1, transmit)
        let index = features & Self.multiQueue != 0 ? UInt32(2 * backend.maximumPairs) : 2
        if features & Self.control != 0 { driver.configure(index, control) }
        driver.driverOK()
    }

    // MARK: Frames

    /// A frame of so many bytes with a mark in it.
    static func frame(_ count: Int, mark: UInt8 = 7, to destination: [UInt8] = mac) -> [UInt8] {
        var random = SplitMix64(seed: UInt64(mark))
        return destination + [0x02, 0, 0, 0, 0, 9] + [0x88, 0xB5] + [mark] + random.bytes(max(count - 15, 0))
    }

    /// Gives a frame to the device, in as many parts as there are lengths after which to cut.
    @discardableResult
    func send(_ frame: [UInt8], slot: UInt64 = 0, header: [UInt8] = [UInt8](repeating: 0, count: 12), cuts: [Int] = [12],
              isIndirect: Bool = false) throws -> UInt16 {
        let place = Self.transmitData + slot * 0x2_0000
        try memory.write(header + frame, at: place)
        var buffers: [Buffer] = []
        var start = 0
        for end in cuts + [header.count + frame.count] where end > start {
            buffers.append(.readable(place + UInt64(start), UInt32(end - start)))
            start = end
        }
        let head = isIndirect ? try transmit.addIndirect(buffers, table: 0x60_0000 + slot * 0x1000) : try transmit.add(buffers)
        driver.kick(1)
        return head
    }

    func offer(_ count: Int, bytes: UInt32, first: Int = 0) throws {
        for index in first..<(first + count) { try receive.add([.writable(Self.receiveAddress(index), bytes)]) }
        driver.kick(0)
    }

    static func receiveAddress(_ index: Int) -> GuestAddress { receiveData + UInt64(index) * 0x1_2000 }

    /// Waits for a frame that begins at the used entry `index`; the frame without its header, the number of buffers it says it
    /// has, and the index of the used entry behind it.
    func received(_ index: UInt16) throws -> (frame: [UInt8], buffers: UInt16, next: UInt16) {
        while receive.usedIndex == index { try driver.line.wait("used entry \(index)") }
        let slot = Int(receive.used(index).id)
        let buffers = try memory.read(UInt16.self, at: Self.receiveAddress(slot) + 10)
        var bytes: [UInt8] = []
        for part in 0..<buffers {
            #expect(receive.usedIndex &- (index &+ part) <= receive.size)
            let used = receive.used(index &+ part)
            bytes += try memory.bytes(at: Self.receiveAddress(Int(used.id)), count: Int(used.count))
        }
        #expect(receive.usedIndex &- index >= buffers, "all buffers of a frame appear together")
        return (Array(bytes.dropFirst(12)), buffers, index &+ buffers)
    }

    /// A command and its answer.
    func command(_ bytes: [UInt8]) throws -> UInt8 {
        try memory.write(bytes + [0xAA], at: Self.commands)
        try control.add([.readable(Self.commands, UInt32(bytes.count)), .writable(Self.commands + UInt64(bytes.count), 1)])
        driver.kick(2)
        usedCommands &+= 1
        try driver.wait(for: control, used: usedCommands)
        return try memory.read(UInt8.self, at: Self.commands + UInt64(bytes.count))
    }
}

/// The other end of a stream or message socket, as passt would hold it.
struct SocketEnd: ~Copyable {
    let file: FileDescriptor
    let isStream: Bool

    func send(_ frame: [UInt8]) throws {
        let count = UInt32(frame.count)
        let header = isStream ? (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } : []
        let bytes = header + frame
        let raw = file.raw
        guard bytes.withUnsafeBytes({ writeWhatFits(raw, $0) }) == bytes.count else { throw Errno.current }
    }

    func receive() throws -> [UInt8] {
        if isStream {
            let count = try take(4).reduce(0) { $0 << 8 | Int($1) }
            return try take(count)
        }
        try waitUntilReadable(file.raw, "a frame")
        var bytes = [UInt8](repeating: 0, count: 1 << 17)
        let raw = file.raw
        let count = try bytes.withUnsafeMutableBytes { try read(raw, into: $0) }
        return Array(bytes[..<count])
    }

    private func take(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            try waitUntilReadable(file.raw, "\(count) bytes, after \(bytes.count)")
            var chunk = [UInt8](repeating: 0, count: count - bytes.count)
            let raw = file.raw
            let got = try chunk.withUnsafeMutableBytes { try read(raw, into: $0) }
            guard got > 0 else { throw TimeoutError(what: "the other side closed") }
            bytes += chunk[..<got]
        }
        return bytes
    }
}

/// A backend on a socket, and the socket's other end.
func makeSocketBackend(_ kind: SocketKind) throws -> (backend: NetworkBackend, raw: Int32) {
    ignoreWriteSignals()
    let pair = try SocketPair(kind)
    let other = try FileDescriptor.duplicate(of: pair.second.raw)
    let port = try NetworkPort(socket: pair.takeFirst())
    return (NetworkBackend(name: "--net test", ports: [port]), other.release())
}

/// Bytes sent that the other side has not read (SIOCOUTQ of unix(7) sockets).
func unreadBytes(_ raw: Int32) -> Int32 {
    var count: Int32 = 0
    _ = ioctl(raw, 0x5411, &count)
    return count
}
