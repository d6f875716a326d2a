import Devices
import GuestMemory
import LinuxSystem
import TestSupport
import Virtio

/// A block device on a small file of its own.
final class BlockModel: DeviceModel {
    /// What a run has made its mind up about.
    private struct Backend {
        let directory: TemporaryDirectory
        let disk: DiskFile
        let options: BlockOptions
    }

    private static let serial = "fuzz"
    private static let sectors = 256
    // The types of virtio 1.2, 5.2.6, and some that do not exist.
    private static let types: [UInt32] = [0, 1, 0, 1, 4, 8, 11, 13, 2, 10, 14, .max]

    private let backend: Backend
    private let block: BlockDevice
    var device: any VirtioDevice { block }

    convenience init(_ input: inout FuzzInput) throws {
        let directory = TemporaryDirectory()
        let path = try directory.sparseFile("disk", size: Self.sectors * 512)
        let cache = input.pick([DiskCache.writeback, .writethrough, .none])
        let disk = try DiskFile(path: path, readOnly: input.once(in: 8), cache: cache)
        let rates = input.once(in: 8) ? DiskRates(requests: DiskRates.Rate(perSecond: 20_000)) : DiskRates()
        let options = BlockOptions(serial: Self.serial, queueCount: 1 + input.below(2), engine: input.pick([.automatic, .threads]),
                                   rates: rates, readsCache: !input.once(in: 2))
        try self.init(Backend(directory: directory, disk: disk, options: options))
    }

    private init(_ backend: Backend) throws {
        self.backend = backend
        block = try BlockDevice(disk: backend.disk, backend.options)
        try block.start()
    }

    func renewed() throws -> any DeviceModel { try BlockModel(backend) }

    /// Its threads wait for the kernel; there is no moment at which they have done all.
    func settle() {}

    func request(_ input: inout FuzzInput, queue: Int, _ bench: Bench) throws -> [MockDriver.Buffer] {
        let type = input.once(in: 32) ? input.number() : input.pick(Self.types)
        let sector = input.once(in: 8) ? input.number() : UInt64(input.below(Self.sectors))
        var buffers = [try bench.readable(Self.header(type, sector))]
        switch type {
        case 11, 13: buffers.append(try bench.readable(Self.segments(&input)))
        case 8: buffers.append(bench.writable(input.pick([20, 20, 19, 21, 1])))
        case 4: break
        default:
            for _ in 0..<input.below(4) {
                let count = input.once(in: 8) ? input.below(0x1_0000) : 512 * input.below(20)
                let isWritable = (type == 0) != input.once(in: 16)
                buffers.append(isWritable ? bench.writable(count) : try bench.readable([UInt8](repeating: 7, count: count)))
            }
        }
        if !input.once(in: 16) { buffers.append(bench.writable(1)) }
        if input.once(in: 16) { buffers.swapAt(0, input.below(buffers.count)) }
        return buffers
    }

    private static func header(_ type: UInt32, _ sector: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes.put(type, at: 0)
        bytes.put(sector, at: 8)
        return bytes
    }

    /// struct virtio_blk_discard_write_zeroes, some of them.
    private static func segments(_ input: inout FuzzInput) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<(1 + input.below(3)) {
            var segment = [UInt8](repeating: 0, count: 16)
            segment.put(input.once(in: 4) ? input.number(UInt64.self) : UInt64(input.below(sectors)), at: 0)
            segment.put(input.once(in: 4) ? input.number(UInt32.self) : UInt32(input.below(64)), at: 8)
            segment.put(UInt32(input.below(3)), at: 12)
            bytes += segment
        }
        return input.once(in: 8) ? Array(bytes.dropLast(input.below(16))) : bytes
    }

    func hostEvent(_ input: inout FuzzInput) throws {
        try? block.resize(to: UInt64(512 * (1 + input.below(2 * Self.sectors))))
    }

    /// GET_ID (5.2.6).
    func proveThatItWorks(_ bench: Bench) throws {
        let (identifier, status) = (bench.writable(20), bench.writable(1))
        try bench.rings[0].add([try bench.readable(Self.header(8, 0)), identifier, status])
        bench.driver.kick()
        bench.wait(0, used: 1)
        require(try bench.memory.read(UInt8.self, at: status.address) == 0, "GET_ID fails after a reset")
        let found = try bench.memory.bytes(at: identifier.address, count: Self.serial.utf8.count)
        require(found == Array(Self.serial.utf8), "GET_ID says \(found) after a reset")
    }
}
