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
    static let discard: UInt32 = 11, writeZeroes: UInt32 = 13
    static let ok: UInt8 = 0, ioError: UInt8 = 1, unsupported: UInt8 = 2
    static let readOnlyFeature: UInt64 = 1 << 5, flushFeature: UInt64 = 1 << 9, multiQueueFeature: UInt64 = 1 << 12
    static let discardFeature: UInt64 = 1 << 13, writeZeroesFeature: UInt64 = 1 << 14
    static let plainFeatures = MMIO.version1 | MMIO.indirect | flushFeature
    static let allFeatures = plainFeatures | discardFeature | writeZeroesFeature

    let memory: GuestMemory
    let queues: [MockDriver]
    let driver: TransportDriver
    let device: BlockDevice
    private let features: UInt64
    private var used: [UInt16]

    var rings: MockDriver { queues[0] }

    convenience init(path: String, readOnly: Bool = false, serial: String = "serial", features: UInt64 = plainFeatures,
                     setup: BlockSetup = BlockSetup()) throws {
        let disk = try DiskFile(path: path, readOnly: readOnly, cache: setup.cache)
        var options = setup.options
        options.serial = serial
        try self.init(BlockDevice(disk: disk, options), features: features)
    }

    init(_ device: BlockDevice, features: UInt64 = plainFeatures) throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 30)))
        self.device = device
        self.features = features
        let memory = memory
        queues = device.queueSizes.indices.map {
            MockDriver(memory: memory, size: 256, base: 0x1_0000 + 0x4000 * UInt64($0))
        }
        used = queues.map { _ in 0 }
        try device.start()
        driver = try TransportDriver(device, memory: memory)
        try restart()
    }

    func restart() throws {
        for rings in queues { try rings.reset() }
        used = queues.map { _ in 0 }
        // A driver takes no more than what is offered.
        try #require(driver.negotiate(features & driver.offeredFeatures))
        for (index, rings) in queues.enumerated() { driver.configure(UInt32(index), rings) }
        driver.driverOK()
    }

    deinit {
        driver.status = 0
    }

    typealias Buffer = MockDriver.Buffer

    func putHeader(_ type: UInt32, sector: UInt64) throws {
        try putHeader(type, sector: sector, header: Self.header, status: Self.status)
    }

    private func putHeader(_ type: UInt32, sector: UInt64, header: GuestAddress, status: GuestAddress) throws {
        try memory.write(type, at: header)
        try memory.write(0 as UInt32, at: header + 4)
        try memory.write(sector, at: header + 8)
        try memory.write(0xAA as UInt8, at: status)
    }

    /// Submits a chain and waits for it; returns the used entry's count.
    @discardableResult
    func submit(_ buffers: [Buffer], isIndirect: Bool = false) throws -> UInt32 {
        if isIndirect { try rings.addIndirect(buffers, table: 0x30_0000) } else { try rings.add(buffers) }
        driver.kick()
        used[0] &+= 1
        try driver.wait(for: rings, used: used[0])
        return rings.used(used[0] &- 1).count
    }

    /// A request in the usual shape: header, data, status. Returns the status byte and the used entry's count.
    @discardableResult
    func request(_ type: UInt32, sector: UInt64, _ data: [Buffer] = []) throws -> (status: UInt8, count: UInt32) {
        try putHeader(type, sector: sector)
        let count = try submit([.readable(Self.header, 16)] + data + [.writable(Self.status, 1)])
        return (try memory.read(UInt8.self, at: Self.status), count)
    }

    func lastStatus() throws -> UInt8 { try memory.read(UInt8.self, at: Self.status) }

    /// DISCARD or WRITE_ZEROES of these segments; returns the status.
    func change(_ type: UInt32, _ segments: [(sector: UInt64, count: UInt32, flags: UInt32)]) throws -> UInt8 {
        var bytes = [UInt8](repeating: 0, count: 16 * segments.count)
        for (index, segment) in segments.enumerated() {
            bytes.put(segment.sector, at: 16 * index)
            bytes.put(segment.count, at: 16 * index + 8)
            bytes.put(segment.flags, at: 16 * index + 12)
        }
        try memory.write(bytes, at: Self.data)
        return try request(type, sector: 0, bytes.isEmpty ? [] : [.readable(Self.data, UInt32(bytes.count))]).status
    }

    // MARK: Several in flight

    /// Makes a request available on a queue, as one of those with different numbers below 128, without a kick. Its header,
    /// status and indirect table are its own.
    func add(_ number: Int, on queue: Int = 0, _ type: UInt32, sector: UInt64, _ data: [Buffer] = []) throws {
        let place = 0x100_0000 + 0x1_0000 * UInt64(number) + 0x80_0000 * UInt64(queue)
        try putHeader(type, sector: sector, header: place, status: place + 16)
        try queues[queue].addIndirect([.readable(place, 16)] + data + [.writable(place + 16, 1)], table: place + 0x1000)
        used[queue] &+= 1
    }

    /// Waits for everything that was added on a queue, after a kick.
    func finish(queue: Int = 0) throws {
        driver.kick(UInt32(queue))
        try driver.wait(for: queues[queue], used: used[queue])
    }

    func status(_ number: Int, on queue: Int = 0) throws -> UInt8 {
        try memory.read(UInt8.self, at: 0x100_0000 + 0x1_0000 * UInt64(number) + 0x80_0000 * UInt64(queue) + 16)
    }
}

/// One of the ways in which a device can serve its disk.
struct BlockSetup: CustomTestStringConvertible, Sendable {
    var options = BlockOptions(serial: "serial")
    var cache = DiskCache.writeback

    init(_ engine: DiskEngine = .automatic, cache: DiskCache = .writeback, readsCache: Bool = true, queues: Int = 1,
         rates: DiskRates = DiskRates(), name: String = "disk") {
        options = BlockOptions(serial: "serial", queueCount: queues, engine: engine, rates: rates, name: name,
                               readsCache: readsCache)
        self.cache = cache
    }

    var testDescription: String {
        "\(options.engine) \(cache)\(options.readsCache ? ", cached reads at once" : "") queues=\(options.queueCount)"
    }

    /// Each engine by itself, and as svmm uses it.
    static let engines = [
        BlockSetup(.ioUring, readsCache: false), BlockSetup(.threads, readsCache: false), BlockSetup(.automatic),
        BlockSetup(.threads),
    ]
    static let all = engines + [
        BlockSetup(.ioUring, cache: .writethrough), BlockSetup(.threads, cache: .writethrough),
        BlockSetup(.ioUring, cache: .none), BlockSetup(.threads, cache: .none),
        BlockSetup(.automatic, queues: 4), BlockSetup(.threads, queues: 2),
    ]
}
