import Devices
import Glibc
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("DISCARD and WRITE_ZEROES")
struct BlockChangeTests {
    private typealias Block = BlockHarness
    private let directory = TemporaryDirectory()
    private static let size = 1 << 20
    private static let content = [UInt8](repeating: 0xC5, count: size)

    private func harness(_ setup: BlockSetup = BlockSetup()) throws -> BlockHarness {
        try BlockHarness(path: directory.file("disk", Self.content), features: Block.allFeatures, setup: setup)
    }

    private func allocated() -> Int {
        var status = stat()
        stat(directory.path("disk"), &status)
        return Int(status.st_blocks) * 512
    }

    @Test("what is discarded reads as zeros and has no blocks", arguments: BlockSetup.all)
    func discard(setup: BlockSetup) throws {
        let block = try harness(setup)
        let before = allocated()
        #expect(try block.change(Block.discard, [(0, 256, 0), (1024, 512, 0)]) == Block.ok)
        #expect(allocated() == before - 768 * 512)
        var expected = Self.content
        for range in [0..<(256 * 512), (1024 * 512)..<(1536 * 512)] {
            expected.replaceSubrange(range, with: repeatElement(0, count: range.count))
        }
        #expect(directory.contents("disk") == expected)
    }

    @Test("zeros keep their blocks, unless the driver allows to unmap", arguments: BlockSetup.all, [0, 1] as [UInt32])
    func zeroes(setup: BlockSetup, flags: UInt32) throws {
        let block = try harness(setup)
        let before = allocated()
        #expect(try block.change(Block.writeZeroes, [(8, 800, flags)]) == Block.ok)
        #expect(allocated() == (flags == 0 ? before : before - 800 * 512))
        var expected = Self.content
        expected.replaceSubrange((8 * 512)..<(808 * 512), with: repeatElement(0, count: 800 * 512))
        #expect(directory.contents("disk") == expected)
    }

    @Test("zeros keep their blocks where the file system knows no short way to them")
    func zeroesWithoutZeroRange() throws {
        let file = try anonymousFile(Self.content)
        let path = "/proc/self/fd/\(file.raw)"
        let block = try BlockHarness(path: path, features: Block.allFeatures)
        let before = try file.attributes().blocks
        #expect(try block.change(Block.writeZeroes, [(0, 2048, 0)]) == Block.ok)
        #expect(try file.attributes().blocks == before)
        #expect(try file.prefix(Self.size) == [UInt8](repeating: 0, count: Self.size))
        #expect(try block.change(Block.writeZeroes, [(0, 2048, 1)]) == Block.ok)
        #expect(try file.attributes().blocks == 0)
    }

    @Test("ranges that are not on the disk, too long or too many are I/O errors and change nothing", arguments: [
        [(2048, 1, 0)], [(2047, 2, 0)], [(0, 2049, 0)], [(.max, 1, 0)], [(1 << 55, 1, 0)], [(.max - 1, .max, 0)],
        [(0, .max, 0)], [(0, (1 << 22) + 1, 0)], [(0, 8, 0), (2048, 8, 0)], [],
        Array(repeating: (0, 1, 0), count: 33),
    ] as [[(UInt64, UInt32, UInt32)]], [Block.discard, Block.writeZeroes])
    func badRanges(segments: [(UInt64, UInt32, UInt32)], type: UInt32) throws {
        let block = try harness()
        #expect(try block.change(type, segments) == Block.ioError)
        #expect(directory.contents("disk") == Self.content)
    }

    @Test("unknown flags, and to unmap what is to be discarded anyway, are not supported", arguments: [
        (Block.discard, 1), (Block.discard, 2), (Block.discard, .max), (Block.writeZeroes, 2), (Block.writeZeroes, 3),
        (Block.writeZeroes, 1 << 31),
    ] as [(UInt32, UInt32)])
    func badFlags(type: UInt32, flags: UInt32) throws {
        let block = try harness()
        #expect(try block.change(type, [(0, 8, 0), (8, 8, flags)]) == Block.unsupported)
        #expect(directory.contents("disk") == Self.content)
    }

    @Test("segments that are not whole are an I/O error", arguments: [1, 15, 17, 31] as [UInt32])
    func badLength(count: UInt32) throws {
        let block = try harness()
        #expect(try block.request(Block.discard, sector: 0, [.readable(Block.data, count)]).status == Block.ioError)
        #expect(directory.contents("disk") == Self.content)
    }

    @Test("as many as are offered, at the very end of the disk, and of no sectors")
    func limits() throws {
        let block = try harness()
        #expect(try block.change(Block.discard, Array(repeating: (2047, 1, 0), count: 32)) == Block.ok)
        #expect(try block.change(Block.discard, [(2048, 0, 0), (0, 0, 0)]) == Block.ok)
        #expect(directory.contents("disk") == Self.content[..<(2047 * 512)] + [UInt8](repeating: 0, count: 512))
    }

    @Test("a driver that did not ask for them gets UNSUPP", arguments: [Block.discard, Block.writeZeroes])
    func notNegotiated(type: UInt32) throws {
        let block = try BlockHarness(path: directory.file("disk", Self.content))
        #expect(try block.change(type, [(0, 8, 0)]) == Block.unsupported)
        #expect(directory.contents("disk") == Self.content)
    }
}
