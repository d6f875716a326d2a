import Glibc
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("Block device")
struct BlockDeviceTests {
    private typealias Block = BlockHarness
    private let directory = TemporaryDirectory()
    private static let pattern = (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }

    private func harness(readOnly: Bool = false, serial: String = "serial", _ setup: BlockSetup = BlockSetup()) throws
        -> BlockHarness {
        try BlockHarness(path: directory.file("disk", Self.pattern), readOnly: readOnly, serial: serial, setup: setup)
    }

    @Test("sectors are read where they lie", arguments: BlockSetup.all)
    func read(setup: BlockSetup) throws {
        let block = try harness(setup)
        let result = try block.request(Block.read, sector: 3, [.writable(Block.data, 1024)])
        #expect(result == (Block.ok, 1025))
        #expect(try block.memory.bytes(at: Block.data, count: 1025) == Array(Self.pattern[1536..<2560]) + [0])
    }

    @Test("sectors are written where they belong, and nothing else is", arguments: BlockSetup.all)
    func write(setup: BlockSetup) throws {
        let block = try harness(setup)
        try block.memory.write([UInt8](repeating: 0xEE, count: 512), at: Block.data)
        let result = try block.request(Block.write, sector: 15, [.readable(Block.data, 512)])
        #expect(result == (Block.ok, 1))
        #expect(directory.contents("disk") == Array(Self.pattern[..<7680]) + [UInt8](repeating: 0xEE, count: 512))
    }

    @Test("flush succeeds, and an unknown request is unsupported",
          arguments: [(4, 0), (2, 2), (11, 2), (13, 2), (.max, 2)] as [(UInt32, UInt8)])
    func types(type: UInt32, status: UInt8) throws {
        let block = try harness()
        let result = try block.request(type, sector: 0)
        #expect(result == (status, 1))
    }

    @Test("the serial number is padded with zeros, cut to 20 bytes, and to a shorter buffer", arguments: [
        ("abc", 20, Array("abc".utf8) + [UInt8](repeating: 0, count: 17)),
        ("12345678901234567890123", 20, Array("12345678901234567890".utf8)),
        ("abcdef", 4, Array("abcd".utf8)), ("", 20, [UInt8](repeating: 0, count: 20)), ("ab", 0, []),
    ] as [(String, UInt32, [UInt8])])
    func getID(serial: String, room: UInt32, expected: [UInt8]) throws {
        let block = try harness(serial: serial)
        let result = try block.request(Block.getID, sector: 0, room == 0 ? [] : [.writable(Block.data, room)])
        #expect(result == (Block.ok, UInt32(expected.count) + 1))
        #expect(try block.memory.bytes(at: Block.data, count: expected.count + 1) == expected + [0])
    }

    @Test("a request that is out of range, not whole sectors, or whose offset overflows is an I/O error", arguments: [
        (16, 512), (15, 1024), (17, 512), (0, 8704), (1 << 55, 512), (1 << 54, 512), (.max, 512), (.max >> 9, 512),
        (0, 1), (0, 511), (0, 513), (15, 513), (16, 1),
    ] as [(UInt64, UInt32)], [BlockHarness.read, BlockHarness.write])
    func outOfRange(place: (UInt64, UInt32), type: UInt32) throws {
        let block = try harness()
        let (sector, count) = place
        let buffer = BlockHarness.Buffer(address: Block.data, count: count, isWritable: type == Block.read)
        #expect(try block.request(type, sector: sector, [buffer]) == (Block.ioError, 1))
        #expect(directory.contents("disk") == Self.pattern)
        #expect(try block.request(Block.flush, sector: 0).status == Block.ok, "the device goes on")
    }

    @Test("a transfer of nothing succeeds up to the end of the disk",
          arguments: [(0, 0), (16, 0), (17, 1)] as [(UInt64, UInt8)])
    func nothing(sector: UInt64, status: UInt8) throws {
        let block = try harness()
        #expect(try block.request(Block.read, sector: sector).status == status)
        #expect(try block.request(Block.write, sector: sector).status == status)
    }

    @Test("a read-only disk refuses writes and still reads")
    func readOnly() throws {
        let block = try harness(readOnly: true)
        #expect(try block.request(Block.write, sector: 0, [.readable(Block.data, 512)]) == (Block.ioError, 1))
        #expect(try block.request(Block.read, sector: 0, [.writable(Block.data, 512)]) == (Block.ok, 513))
        #expect(directory.contents("disk") == Self.pattern)
    }

    @Test("a chain without room for a status, or without a whole header, makes the device ask for a reset", arguments: [
        [.readable(BlockHarness.header, 16)], [.readable(BlockHarness.header, 15), .writable(BlockHarness.status, 1)],
        [.writable(BlockHarness.status, 1)], [.readable(BlockHarness.header, 16), .writable(BlockHarness.status, 0)],
        [.readable(BlockHarness.header, 0), .writable(BlockHarness.status, 1)],
    ] as [[MockDriver.Buffer]])
    func needsReset(buffers: [MockDriver.Buffer]) throws {
        let block = try harness()
        try block.putHeader(Block.flush, sector: 0)
        try block.rings.add(buffers)
        block.driver.kick()
        try block.driver.waitForNeedsReset()
        #expect(block.rings.usedIndex == 0)
        try block.restart()
        #expect(try block.request(Block.read, sector: 0, [.writable(Block.data, 512)]) == (Block.ok, 513))
    }

    @Test("a file that has shrunk reads with an I/O error, not with old bytes", arguments: BlockSetup.all)
    func shrunk(setup: BlockSetup) throws {
        let block = try harness(setup)
        #expect(truncate(directory.path("disk"), 1000) == 0)
        #expect(try block.request(Block.read, sector: 1, [.writable(Block.data, 512)]).status == Block.ioError)
        #expect(try block.request(Block.read, sector: 8, [.writable(Block.data, 512)]).status == Block.ioError)
        #expect(try block.request(Block.read, sector: 0, [.writable(Block.data, 512)]).status == Block.ok)
    }

    @Test("a write that the host cannot store, in whole or in part, is an I/O error", arguments: BlockSetup.engines)
    func fullDisk(setup: BlockSetup) throws {
        let file = try FullFile(Self.pattern)
        let block = try BlockHarness(path: file.path, setup: setup)
        try file.fill(at: 4096)
        #expect(try block.request(Block.write, sector: 8, [.readable(Block.data, 512)]) == (Block.ioError, 1))
        #expect(try block.request(Block.write, sector: 7, [.readable(Block.data, 1024)]) == (Block.ioError, 1))
        #expect(try block.request(Block.write, sector: 7, [.readable(Block.data, 512)]) == (Block.ok, 1))
    }

    @Test("a driver that took FLUSH gets its writes durable when it flushes, another with every write",
          .enabled(if: ExtentMap.isTelling, "the file system of /tmp does not delay allocation"),
          arguments: BlockSetup.engines)
    func writeThrough(setup: BlockSetup) throws {
        for features in [MMIO.version1 | Block.flushFeature, MMIO.version1] {
            let path = try directory.sparseFile("disk-\(features)", size: 1 << 20)
            let block = try BlockHarness(path: path, features: features, setup: setup)
            #expect(try block.request(Block.write, sector: 8, [.readable(Block.data, 4096)]).status == Block.ok)
            if features & Block.flushFeature != 0 {
                #expect(try ExtentMap(path).isDelayed)
                #expect(try block.request(Block.flush, sector: 0).status == Block.ok)
            }
            #expect(try !ExtentMap(path).isDelayed)
        }
    }

    @Test("a write-through disk offers no FLUSH, and every write is durable at once",
          .enabled(if: ExtentMap.isTelling, "the file system of /tmp does not delay allocation"),
          arguments: [BlockSetup(.ioUring, cache: .writethrough), BlockSetup(.threads, cache: .writethrough)])
    func writeThroughDisk(setup: BlockSetup) throws {
        let path = try directory.sparseFile("disk", size: 1 << 20)
        let block = try BlockHarness(path: path, features: MMIO.version1, setup: setup)
        #expect(block.driver.offeredFeatures & Block.flushFeature == 0)
        for sector in [0, 64, 512] as [UInt64] {
            #expect(try block.request(Block.write, sector: sector, [.readable(Block.data, 4096)]).status == Block.ok)
            #expect(try !ExtentMap(path).isDelayed)
        }
        #expect(try block.request(Block.flush, sector: 0).status == Block.ok)
    }
}
