import Devices
import GuestMemory
import LinuxSystem
import TestSupport
import Testing
import Virtio

/// A block device on a file, behind its registers, and a driver for it.
final class BlockHarness {
    static let header: GuestAddress = 0x10_0000
    static let data: GuestAddress = 0x20_0000
    static let status: GuestAddress = 0x11_0000

    static let read: UInt32 = 0, write: UInt32 = 1, flush: UInt32 = 4, getID: UInt32 = 8
    static let ok: UInt8 = 0, ioError: UInt8 = 1, unsupported: UInt8 = 2
    static let flushFeature: UInt64 = 1 << 9, readOnlyFeature: UInt64 = 1 << 5

    let memory: GuestMemory
    let rings: MockDriver
    let driver: TransportDriver
    private let loop: LoopThread
    private var used: UInt16 = 0

    init(path: String, readOnly: Bool = false, serial: String = "serial",
         features: UInt64 = MMIO.version1 | MMIO.indirect | flushFeature) throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 30)))
        rings = MockDriver(memory: memory, size: 256)
        loop = try LoopThread()
        let disk = try DiskFile(path: path, readOnly: readOnly)
        driver = try TransportDriver(BlockDevice(disk: disk, serial: serial, loop: loop.loop), memory: memory)
        try driver.start(rings, features: features)
    }

    func restart() throws {
        try driver.start(rings)
        used = 0
    }

    deinit {
        driver.status = 0
    }

    typealias Buffer = MockDriver.Buffer

    func putHeader(_ type: UInt32, sector: UInt64) throws {
        try memory.write(type, at: Self.header)
        try memory.write(0 as UInt32, at: Self.header + 4)
        try memory.write(sector, at: Self.header + 8)
        try memory.write(0xAA as UInt8, at: Self.status)
    }

    /// Submits a chain and waits for it; returns the used entry's count.
    @discardableResult
    func submit(_ buffers: [Buffer], isIndirect: Bool = false) throws -> UInt32 {
        if isIndirect { try rings.addIndirect(buffers, table: 0x30_0000) } else { try rings.add(buffers) }
        driver.kick()
        used &+= 1
        try driver.wait(for: rings, used: used)
        return rings.used(used &- 1).count
    }

    /// A request in the usual shape: header, data, status. Returns the status byte and the used entry's count.
    @discardableResult
    func request(_ type: UInt32, sector: UInt64, _ data: [Buffer] = []) throws -> (status: UInt8, count: UInt32) {
        try putHeader(type, sector: sector)
        let count = try submit([.readable(Self.header, 16)] + data + [.writable(Self.status, 1)])
        return (try memory.read(UInt8.self, at: Self.status), count)
    }

    func lastStatus() throws -> UInt8 { try memory.read(UInt8.self, at: Self.status) }
}
