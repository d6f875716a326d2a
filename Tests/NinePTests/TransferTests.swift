import Glibc
import LinuxSystem
import NineP
import NinePSupport
import TestSupport
import Testing

/// Sizes of the areas that a message lies in.
private let pieceSizes: [[Int]] = [[], [1], [7, 4096], [11, 4096], [23, 4096], [5, 3, 1], [4096], [4095, 1], [65536]]

@Suite("Transfers of data")
struct TransferTests {
    private let tree = Tree()

    @Test("data of every shape of buffers arrives as it was sent", arguments: pieceSizes)
    func shapes(pieces: [Int]) throws {
        let size: UInt32 = pieces == [1] || pieces == [5, 3, 1] ? 4096 : 1 << 20
        let client = try Client(tree.server(), messageSize: size)
        client.requestPieces = pieces
        client.replyPieces = pieces
        // The worker lists up to 2048 areas, as a virtqueue of that size would.
        let most = pieces.isEmpty ? Int(size) : min(Int(size), 2000 * pieces.reduce(0, +) / pieces.count)
        let fid = try client.create("file")
        var random = SplitMix64(seed: 5)
        let data = random.bytes(min(200_000, most - 30))
        for count in [0, 1, 10, 4000, data.count] where count <= data.count && count + 30 <= most {
            let part = Array(data[..<count])
            #expect(try client.write(fid, at: 3, part) == count)
            #expect(try client.read(fid, at: 3, UInt32(count)) == part)
        }
        #expect(try client.read(fid, at: 0, 3) == [0, 0, 0])
    }

    @Test("a file that is open for writing alone is not read, and one for reading alone not written, not even nothing")
    func accessModes() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"), [1])
        let (reader, writer) = (try client.open("file", 0), try client.open("file", 1))
        for count in [0, 1] {
            #expect(throws: Refused(.badDescriptor)) { try client.read(writer, at: 0, UInt32(count)) }
            #expect(throws: Refused(.badDescriptor)) { try client.write(reader, at: 0, [UInt8](repeating: 2, count: count)) }
        }
        #expect(try client.write(writer, at: 0, []) == 0)
        #expect(try client.read(reader, at: 0, 0) == [])
    }

    @Test("a read is never more than msize or the reply's buffers hold")
    func limits() throws {
        let client = try Client(tree.server(), messageSize: 8192)
        try tree.file(tree.inside("file"), [UInt8](repeating: 9, count: 100_000))
        let fid = try client.open("file")
        #expect(try client.read(fid, at: 0, .max).count == 8192 - 11)
        var fields = try client.send(Message(.read).word(fid).long(0).word(5000), capacity: 100)
        #expect(try fields.word() == 89)
        #expect(fields.left == 89)
        fields = try client.send(Message(.read).word(fid).long(0).word(5000), capacity: 11)
        #expect(try fields.word() == 0)
    }

    @Test("more areas than can be listed are an error, not less data")
    func tooManyAreas() throws {
        let client = try Client(tree.server(), messageSize: 8192)
        try tree.file(tree.inside("file"), [UInt8](repeating: 9, count: 8000))
        let fid = try client.open("file", 2)
        client.replyPieces = [1]
        client.requestPieces = [1]
        #expect(throws: Refused(EIO)) { try client.read(fid, at: 0, 4000) }
        #expect(throws: Refused(EIO)) { try client.write(fid, at: 0, [UInt8](repeating: 1, count: 4000)) }
        #expect(try client.read(fid, at: 0, 2000).count == 2000)
    }

    @Test("iounit is whole pages, and 0 where msize has no room for one",
          arguments: [(4096, 0), (8192, 4096), (524_288, 520_192), (1 << 20, (1 << 20) - 4096)] as [(UInt32, UInt32)])
    func iounit(size: UInt32, expected: UInt32) throws {
        let client = try Client(tree.server(), messageSize: size)
        var fields = try client.send(Message(.lopen).word(try client.find("")).word(0))
        _ = try fields.qid()
        #expect(try fields.word() == expected)
    }

    @Test("an extended attribute is read and written in parts")
    func attributes() throws {
        let client = try Client(tree.server(), messageSize: 4096)
        try tree.file(tree.inside("file"))
        let fid = try client.find("file")
        var random = SplitMix64(seed: 6)
        let value = random.bytes(3000)
        let draft = try client.find("file")
        _ = try client.send(Message(.xattrcreate).word(draft).string("user.x").long(3000).word(0))
        for start in stride(from: 0, to: 3000, by: 1000) {
            #expect(try client.write(draft, at: UInt64(start), Array(value[start..<(start + 1000)])) == 1000)
        }
        try client.clunk(draft)
        var fields = try client.send(Message(.xattrwalk).word(fid).word(77).string("user.x"))
        #expect(try fields.long() == 3000)
        #expect(try client.read(77, at: 0, 1700) + client.read(77, at: 1700, 5000) == value)
        #expect(try client.read(77, at: .max, 10).isEmpty)
        #expect(throws: Refused(EBADF)) { try client.write(77, at: 0, [1]) }
    }
}
