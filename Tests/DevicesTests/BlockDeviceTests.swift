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

    private func harness(readOnly: Bool = false, serial: String = "serial") throws -> BlockHarness {
        try BlockHarness(path: directory.file("disk", Self.pattern), readOnly: readOnly, serial: serial)
    }

    @Test("capacity, segments and block size are in configuration space; READ_ONLY only for a disk that is",
          arguments: [false, true])
    func configuration(readOnly: Bool) throws {
        let block = try harness(readOnly: readOnly)
        let transport = block.driver.transport
        #expect(block.driver[MMIO.deviceID] == 2)
        #expect(transport.read(offset: MMIO.configuration, size: 8) == 16)
        #expect(transport.read(offset: MMIO.configuration + 12, size: 4) == 254)
        #expect(transport.read(offset: MMIO.configuration + 20, size: 4) == 512)
        #expect(block.driver.offeredFeatures & Block.readOnlyFeature == (readOnly ? Block.readOnlyFeature : 0))
        // DISCARD and WRITE_ZEROES are not there to be promised.
        #expect(block.driver.offeredFeatures & (1 << 13 | 1 << 14) == 0)
    }

    @Test("sectors are read where they lie")
    func read() throws {
        let block = try harness()
        let result = try block.request(Block.read, sector: 3, [.writable(Block.data, 1024)])
        #expect(result == (Block.ok, 1025))
        #expect(try block.memory.bytes(at: Block.data, count: 1025) == Array(Self.pattern[1536..<2560]) + [0])
    }

    @Test("sectors are written where they belong, and nothing else is")
    func write() throws {
        let block = try harness()
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

    @Test("a file that has shrunk reads with an I/O error, not with old bytes")
    func shrunk() throws {
        let block = try harness()
        #expect(truncate(directory.path("disk"), 1000) == 0)
        #expect(try block.request(Block.read, sector: 1, [.writable(Block.data, 512)]).status == Block.ioError)
        #expect(try block.request(Block.read, sector: 8, [.writable(Block.data, 512)]).status == Block.ioError)
        #expect(try block.request(Block.read, sector: 0, [.writable(Block.data, 512)]).status == Block.ok)
    }

    @Test("a write that the host cannot store, in whole or in part, is an I/O error")
    func fullDisk() throws {
        let file = try FullFile(Self.pattern)
        let block = try BlockHarness(path: file.path)
        try file.fill(at: 4096)
        #expect(try block.request(Block.write, sector: 8, [.readable(Block.data, 512)]) == (Block.ioError, 1))
        #expect(try block.request(Block.write, sector: 7, [.readable(Block.data, 1024)]) == (Block.ioError, 1))
        #expect(try block.request(Block.write, sector: 7, [.readable(Block.data, 512)]) == (Block.ok, 1))
    }

    @Test("a driver that took FLUSH gets its writes durable when it flushes, another with every write")
    func writeThrough() throws {
        for (features, expected) in [(MMIO.version1 | Block.flushFeature, 1), (MMIO.version1, 3)] as [(UInt64, Int)] {
            let path = try directory.file("disk-\(expected)", Self.pattern)
            let block = try BlockHarness(path: path, features: features)
            let before = SynchronizedFiles.count(path)
            for _ in 0..<3 {
                #expect(try block.request(Block.write, sector: 0, [.readable(Block.data, 512)]).status == Block.ok)
            }
            if features & Block.flushFeature != 0 {
                #expect(try block.request(Block.flush, sector: 0).status == Block.ok)
            }
            #expect(SynchronizedFiles.count(path) - before == expected)
        }
    }
}
