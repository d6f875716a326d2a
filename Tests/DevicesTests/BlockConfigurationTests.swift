import CLinux
import Devices
import Glibc
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("Configuration of block devices")
struct BlockConfigurationTests {
    private typealias Block = BlockHarness
    private let directory = TemporaryDirectory()

    private static let always: UInt64 = 1 << 1 | 1 << 2 | 1 << 6 | 1 << 10

    @Test("features follow from what the disk is and how it is used", arguments: [
        (false, .writeback, 1, always | Block.flushFeature | Block.discardFeature | Block.writeZeroesFeature),
        (true, .writeback, 1, always | Block.flushFeature | Block.readOnlyFeature),
        (false, .writethrough, 1, always | Block.discardFeature | Block.writeZeroesFeature),
        (false, .none, 2, always | Block.flushFeature | Block.discardFeature | Block.writeZeroesFeature
            | Block.multiQueueFeature),
    ] as [(Bool, DiskCache, Int, UInt64)])
    func features(readOnly: Bool, cache: DiskCache, queues: Int, expected: UInt64) throws {
        let disk = try DiskFile(path: directory.sparseFile("disk", size: 1 << 20), readOnly: readOnly, cache: cache)
        let device = try BlockDevice(disk: disk, BlockOptions(serial: "", queueCount: queues))
        #expect(device.features == expected)
        #expect(device.queueSizes == [UInt16](repeating: 256, count: queues))
    }

    @Test("the configuration space says it all at the places of the specification")
    func layout() throws {
        let path = try directory.sparseFile("disk", size: 1 << 20)
        let device = try BlockDevice(disk: DiskFile(path: path, readOnly: false), BlockOptions(serial: "", queueCount: 3))
        let bytes = device.configuration
        var status = stat()
        #expect(stat(path, &status) == 0)
        let block = UInt32(status.st_blksize)
        #expect(bytes.count == 60)
        #expect(bytes.get(UInt64.self, at: 0) == 2048)  // capacity
        #expect(bytes.get(UInt32.self, at: 8) == 1 << 20)  // size_max
        #expect(bytes.get(UInt32.self, at: 12) == 254)  // seg_max
        #expect(bytes.get(UInt32.self, at: 20) == 512)  // blk_size
        #expect(512 << UInt32(bytes[24]) == block)  // physical_block_exp
        #expect(bytes[25] == 0)  // alignment_offset
        #expect(UInt32(bytes.get(UInt16.self, at: 26)) == block / 512)  // min_io_size
        #expect(bytes.get(UInt32.self, at: 28) == 0)  // opt_io_size
        #expect(bytes[32] == 1)  // writeback
        #expect(bytes.get(UInt16.self, at: 34) == 3)  // num_queues
        #expect(bytes.get(UInt32.self, at: 36) == 1 << 22)  // max_discard_sectors
        #expect(bytes.get(UInt32.self, at: 40) == 32)  // max_discard_seg
        #expect(bytes.get(UInt32.self, at: 44) == block / 512)  // discard_sector_alignment
        #expect(bytes.get(UInt32.self, at: 48) == 1 << 22)  // max_write_zeroes_sectors
        #expect(bytes.get(UInt32.self, at: 52) == 32)  // max_write_zeroes_seg
        #expect(bytes[56] == 1)  // write_zeroes_may_unmap
    }

    @Test("DISCARD and WRITE_ZEROES are not offered for a file that takes no holes")
    func noHoles() throws {
        let file = try SealedFile(size: 1 << 20)
        let disk = try DiskFile(path: file.path, readOnly: false)
        let device = try BlockDevice(disk: disk, BlockOptions(serial: ""))
        #expect(device.features & (Block.discardFeature | Block.writeZeroesFeature) == 0)
        let block = try BlockHarness(device)
        for type in [Block.discard, Block.writeZeroes] {
            #expect(try block.change(type, [(0, 8, 0)]) == Block.unsupported)
        }
    }

    @Test("looking for holes changes nothing", arguments: [512, 4096, 4608, 1 << 20])
    func probe(size: Int) throws {
        var random = SplitMix64(seed: UInt64(size))
        let content = random.bytes(size)
        let path = try directory.file("disk", content)
        var before = stat(), after = stat()
        stat(path, &before)
        _ = try DiskFile(path: path, readOnly: false)
        stat(path, &after)
        #expect(directory.contents("disk") == content)
        #expect(before.st_blocks == after.st_blocks)
    }

    // MARK: Sizes

    @Test("a disk that is missing or empty is made, without blocks", arguments: [true, false])
    func creation(isThere: Bool) throws {
        let path = directory.path("new")
        if isThere { _ = try directory.file("new", []) }
        let disk = try DiskFile(path: path, readOnly: false, creationSize: 10 << 30)
        #expect(disk.size == 10 << 30)
        var status = stat()
        stat(path, &status)
        #expect(status.st_size == 10 << 30 && status.st_blocks == 0)
    }

    @Test("a disk that is there keeps what it has, and must have the size")
    func otherSize() throws {
        let path = try directory.file("disk", [UInt8](repeating: 7, count: 1024))
        #expect(throws: DiskError.otherSize(found: 1024, wanted: 2048)) {
            try DiskFile(path: path, readOnly: false, creationSize: 2048)
        }
        #expect(try DiskFile(path: path, readOnly: false, creationSize: 1024).size == 1024)
        #expect(directory.contents("disk") == [UInt8](repeating: 7, count: 1024))
    }

    @Test("a disk grows and shrinks under its driver, which is told", arguments: BlockSetup.engines)
    func resize(setup: BlockSetup) throws {
        let path = try directory.sparseFile("disk", size: 1 << 20)
        let block = try BlockHarness(path: path, setup: setup)
        #expect(try block.request(Block.write, sector: 2048, [.readable(Block.data, 512)]).status == Block.ioError)
        let generation = block.driver[MMIO.configGeneration]
        for size in [2 << 20, 512, 1 << 30] as [UInt64] {
            try block.device.resize(to: size)
            #expect(block.driver[MMIO.interruptStatus] & 2 == 2)
            block.driver[MMIO.interruptACK] = 2
            #expect(block.driver.transport.read(offset: MMIO.configuration, size: 8) == size / 512)
            let last = size / 512 - 1
            #expect(try block.request(Block.write, sector: last, [.readable(Block.data, 512)]).status == Block.ok)
            #expect(try block.request(Block.read, sector: last, [.writable(Block.data, 512)]).status == Block.ok)
            #expect(try block.request(Block.read, sector: last + 1, [.writable(Block.data, 512)]).status == Block.ioError)
            #expect(try FileDescriptor.open(path, .readOnly).status().size == size)
        }
        #expect(block.driver[MMIO.configGeneration] != generation)
    }

    @Test("sizes that no disk has are refused, and a read-only disk keeps its own", arguments: [0, 1, 511, 513])
    func badSize(size: UInt64) throws {
        let path = try directory.sparseFile("disk", size: 1 << 20)
        let device = try BlockDevice(disk: DiskFile(path: path, readOnly: false), BlockOptions(serial: ""))
        #expect(throws: BlockDeviceError.disk(size == 0 ? .empty : .size(size))) { try device.resize(to: size) }
        #expect(device.configuration.get(UInt64.self, at: 0) == 2048)
        let other = try directory.sparseFile("other", size: 1 << 20)
        let fixed = try BlockDevice(disk: DiskFile(path: other, readOnly: true), BlockOptions(serial: ""))
        #expect(throws: BlockDeviceError.self) { try fixed.resize(to: 2 << 20) }
    }

    // MARK: Placeholders

    @Test("a placeholder has no sectors, answers, and becomes a disk when it is given one",
          arguments: [BlockSetup(.ioUring, readsCache: false), BlockSetup(.threads), BlockSetup(.automatic, queues: 2)])
    func placeholder(setup: BlockSetup) throws {
        let device = try BlockDevice(placeholderReadOnly: false, setup.options)
        let block = try BlockHarness(device, features: Block.allFeatures)
        #expect(block.driver.transport.read(offset: MMIO.configuration, size: 8) == 0)
        #expect(try block.request(Block.read, sector: 0, [.writable(Block.data, 512)]).status == Block.ioError)
        #expect(try block.request(Block.write, sector: 0, [.readable(Block.data, 512)]).status == Block.ioError)
        #expect(try block.request(Block.flush, sector: 0).status == Block.ok)
        #expect(try block.request(Block.getID, sector: 0, [.writable(Block.data, 20)]).status == Block.ok)
        #expect(try block.change(Block.discard, [(0, 0, 0)]) == Block.unsupported)
        #expect(throws: BlockDeviceError.placeholder) { try device.resize(to: 512) }

        let pattern = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 3) }
        try device.attach(DiskFile(path: directory.file("disk", pattern), readOnly: false))
        #expect(block.driver[MMIO.interruptStatus] & 2 == 2)
        #expect(block.driver.transport.read(offset: MMIO.configuration, size: 8) == 8)
        #expect(try block.request(Block.read, sector: 1, [.writable(Block.data, 1024)]).status == Block.ok)
        #expect(try block.memory.bytes(at: Block.data, count: 1024) == Array(pattern[512..<1536]))
        #expect(try block.change(Block.writeZeroes, [(0, 1, 1)]) == Block.ok)
        #expect(directory.contents("disk") == [UInt8](repeating: 0, count: 512) + pattern[512...])
        let other = try DiskFile(path: directory.sparseFile("other", size: 512), readOnly: false)
        #expect(throws: BlockDeviceError.occupied) { try device.attach(other) }
        // And through a reset.
        try block.restart()
        #expect(try block.request(Block.read, sector: 7, [.writable(Block.data, 512)]).status == Block.ok)
    }

    @Test("a placeholder that the guest may write to takes no disk that it may not, and answers UNSUPP for one without holes")
    func unsuitable() throws {
        let device = try BlockDevice(placeholderReadOnly: false, BlockOptions(serial: ""))
        let block = try BlockHarness(device, features: Block.allFeatures)
        let readOnly = try DiskFile(path: directory.sparseFile("disk", size: 512), readOnly: true)
        #expect(throws: BlockDeviceError.readOnly) { try device.attach(readOnly) }
        let file = try SealedFile(size: 1 << 20)
        try device.attach(DiskFile(path: file.path, readOnly: false))
        for type in [Block.discard, Block.writeZeroes] {
            #expect(try block.change(type, [(0, 8, 0)]) == Block.unsupported)
        }
        #expect(try block.request(Block.read, sector: 0, [.writable(Block.data, 512)]).status == Block.ok)
    }
}

/// An open file in memory that takes no writes and no holes: it stands for one on a file system that cannot punch them.
private struct SealedFile: ~Copyable {
    private let file: FileDescriptor

    init(size: UInt64) throws {
        let raw = memfd_create("svmm test", UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING))
        guard raw >= 0 else { throw Errno.current }
        let descriptor = FileDescriptor(owning: raw)
        try descriptor.setSize(size)
        guard svmm_fcntl_value(raw, 1033, 8) == 0 else { throw Errno.current }  // F_ADD_SEALS, F_SEAL_WRITE
        file = descriptor
    }

    var path: String { "/proc/self/fd/\(file.raw)" }
}
