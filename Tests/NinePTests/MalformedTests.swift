import Glibc
import LinuxSystem
import NineP
import NinePSupport
import TestSupport
import Testing

/// One well-formed message of every type.
private func samples(_ fid: UInt32, _ open: UInt32) -> [(Request, Message)] {
    let time = UInt64(1)
    return [
        (.version, Message(.version).word(8192).string("9P2000.L")),
        (.auth, Message(.auth).word(90).string("u").string("").word(0)),
        (.attach, Message(.attach).word(90).word(~0).string("u").string("").word(0)),
        (.flush, Message(.flush).short(7)),
        (.walk, Message(.walk).word(fid).word(90).short(2).string("d").string("e")),
        (.clunk, Message(.clunk).word(90)),
        (.remove, Message(.remove).word(90)),
        (.lopen, Message(.lopen).word(90).word(0)),
        (.lcreate, Message(.lcreate).word(90).string("n").word(2).word(0o600).word(0)),
        (.read, Message(.read).word(open).long(0).word(10)),
        (.write, Message(.write).word(open).long(0).word(4).raw([1, 2, 3, 4])),
        (.readdir, Message(.readdir).word(open).long(0).word(10)),
        (.fsync, Message(.fsync).word(open).word(0)),
        (.getattr, Message(.getattr).word(fid).long(0x7FF)),
        (.setattr, Message(.setattr).word(open).word(1).word(0o600).word(0).word(0).long(0).long(time).long(time)
            .long(time).long(time)),
        (.statfs, Message(.statfs).word(fid)),
        (.mkdir, Message(.mkdir).word(fid).string("m").word(0o700).word(0)),
        (.mknod, Message(.mknod).word(fid).string("k").word(0o100600).word(0).word(0).word(0)),
        (.symlink, Message(.symlink).word(fid).string("s").string("t").word(0)),
        (.readlink, Message(.readlink).word(open)),
        (.link, Message(.link).word(fid).word(open).string("l")),
        (.rename, Message(.rename).word(90).word(fid).string("r")),
        (.renameat, Message(.renameat).word(fid).string("none").word(fid).string("r")),
        (.unlinkat, Message(.unlinkat).word(fid).string("none").word(0)),
        (.xattrwalk, Message(.xattrwalk).word(fid).word(90).string("user.x")),
        (.xattrcreate, Message(.xattrcreate).word(90).string("user.x").long(1).word(0)),
        (.lock, Message(.lock).word(open).byte(2).word(0).long(0).long(0).word(1).string("c")),
        (.getlock, Message(.getlock).word(open).byte(1).long(0).long(0).word(1).string("c")),
    ]
}

@Suite("Malformed 9P messages")
struct MalformedTests {
    private let tree = Tree()

    @Test("there is a sample of every message")
    func complete() {
        #expect(Set(samples(0, 1).map(\.0)) == Set(Request.allCases))
    }

    @Test("a message cut anywhere is answered EINVAL, and one with more behind it too")
    func truncated() throws {
        for (type, message) in samples(Client.root, 1) {
            let client = try Client(tree.server())
            let open = try client.create("file-\(type)")
            #expect(open == 1)
            let whole = message.finished
            for count in 7..<whole.count {
                var part = Array(whole[..<count])
                part[0] = UInt8(count)
                check(client.exchange(part), type == .auth ? EOPNOTSUPP : EINVAL, "\(type) of \(count) bytes")
            }
            let longer = message.raw([0]).finished
            check(client.exchange(longer), type == .auth ? EOPNOTSUPP : EINVAL, "\(type), one too many")
            // Less than the size says.
            check(client.exchange(Array(whole.dropLast())), EINVAL, "\(type), size too large")
        }
    }

    private func check(_ reply: [UInt8], _ error: Int32, _ what: String) {
        #expect(reply.count == 11 && reply[4] == 7 && reply[7] == UInt8(error), "\(what): \(reply)")
    }

    @Test("what has no header, or no room for a reply, cannot be answered")
    func noMessage() throws {
        let client = try Client(tree.server())
        let whole = Message(.statfs).word(0).finished
        for count in 0..<7 { #expect(client.exchange(Array(whole[..<count])).isEmpty) }
        for capacity in 0..<11 { #expect(client.exchange(whole, capacity: capacity).isEmpty) }
        check(client.exchange(whole, capacity: 11), EMSGSIZE, "Rstatfs")
    }

    @Test("a size that is not the message's, or above msize, is refused")
    func sizes() throws {
        let client = try Client(tree.server(), messageSize: 4096)
        var message = Message(.statfs).word(0).finished
        for size in [0, 6] as [UInt8] {
            message[0] = size
            check(client.exchange(message), EINVAL, "size \(size)")
        }
        message = Message(.write).word(1).long(0).word(4074).raw([UInt8](repeating: 0, count: 4074)).finished
        check(client.exchange(message), EMSGSIZE, "Twrite of more than msize")
        message.replaceSubrange(0..<4, with: [255, 255, 255, 255])
        check(client.exchange(message), EMSGSIZE, "size 2^32-1")
        let large = try Client(tree.server())
        let long = Message(.symlink).word(0).string("s").string([UInt8](repeating: 1, count: 9000)).word(0)
        check(large.exchange(long.finished), EMSGSIZE, "a message longer than any can be")
    }

    @Test("unknown types, replies among them, are answered EOPNOTSUPP")
    func types() throws {
        let client = try Client(tree.server())
        let known = Set(Request.allCases.map(\.rawValue))
        for type in (0...255 as ClosedRange<UInt8>) where !known.contains(type) {
            check(client.exchange(Message(type).word(0).finished), EOPNOTSUPP, "type \(type)")
        }
    }

    @Test("every message but those that need none is answered EBADF for a fid that is unknown")
    func unknownFids() throws {
        let client = try Client(tree.server())
        for (type, message) in samples(4000, 4001) {
            if [.version, .auth, .attach, .flush].contains(type) { continue }
            check(client.exchange(message.finished), EBADF, "\(type)")
        }
    }

    @Test("a count of data that is not the message's is refused; of names too")
    func counts() throws {
        let client = try Client(tree.server())
        let fid = try client.create("file")
        for count in [0, 3, 5, UInt32.max, 1 << 31] as [UInt32] {
            let message = Message(.write).word(fid).long(0).word(count).raw([1, 2, 3, 4])
            #expect(throws: Refused(EINVAL)) { try client.send(message) }
        }
        #expect(throws: Refused(EINVAL)) { try client.send(Message(.walk).word(0).word(9).short(65535)) }
        #expect(throws: Refused(EINVAL)) { try client.send(Message(.walk).word(0).word(9).short(3).string("a")) }
        #expect(throws: Refused(EINVAL)) { try client.write(fid, at: .max, [1]) }
        #expect(throws: Refused(EINVAL)) { try client.write(fid, at: UInt64(Int64.max), [1]) }
        #expect(throws: Refused(EINVAL)) { try client.read(fid, at: .max, 10) }
        #expect(throws: Refused(EINVAL)) { try client.read(fid, at: UInt64(Int64.max), .max) }
        #expect(try client.read(fid, at: UInt64(Int64.max) - (1 << 20), .max).isEmpty)
        let directory = try client.open("", 0)
        #expect(throws: Refused(EINVAL)) { try client.readdir(directory, from: .max) }
        #expect(throws: Refused(EINVAL)) { try client.readdir(directory, 0) }
        #expect(throws: Refused(EINVAL)) { try client.readdir(directory, 24) }
        let first = try #require(client.readdir(directory).first)
        let room = UInt32(24 + first.name.count)
        #expect(throws: Refused(EINVAL)) { try client.readdir(directory, room - 1) }
        #expect(try client.readdir(directory, room) == [first])
        for (start, length) in [(UInt64.max, 1), (1 << 63, 0), (1, UInt64.max), (5, 1 << 63)] as [(UInt64, UInt64)] {
            #expect(throws: Refused(EINVAL)) { try client.lock(fid, 1, start: start, length: length) }
            #expect(throws: Refused(EINVAL)) { try client.getlock(fid, 1, start: start, length: length) }
        }
        #expect(throws: Refused(EINVAL)) { try client.lock(fid, 3) }
        #expect(throws: Refused(EINVAL)) { try client.getlock(fid, 3) }
    }

    @Test("the same tag may be used again")
    func tags() throws {
        let client = try Client(tree.server())
        for tag in [1, 1, 0xFFFF, 0] as [UInt16] {
            _ = try client.send(Message(.statfs, tag: tag).word(0))
            try client.flush(tag)
        }
    }

    @Test("random bytes, and messages with random fields, never stop a session",
          arguments: 1...8 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let client = try Client(tree.server(seed % 2 == 0 ? .passthrough : .mapped))
        let interesting: [UInt64] = [0, 1, 2, 3, 4, 7, 10, 255, 4096, 65535, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 32,
                                     1 << 63, .max]
        for _ in 0..<3000 {
            let known = random.pick(Request.allCases).rawValue
            var message = Message(random.below(10) == 0 ? UInt8(random.below(256)) : known)
            if message.bytes[4] == Request.version.rawValue, random.below(10) != 0 { continue }
            for _ in 0..<random.below(9) {
                switch random.below(6) {
                case 0: message = message.byte(UInt8(truncatingIfNeeded: random.pick(interesting)))
                case 1: message = message.short(UInt16(truncatingIfNeeded: random.pick(interesting)))
                case 2: message = message.word(UInt32(random.below(8)))
                case 3: message = message.word(UInt32(truncatingIfNeeded: random.pick(interesting)))
                case 4: message = message.long(random.pick(interesting))
                default: message = message.string(random.pick(["a", "b", "..", "", "a/b", "user.x", "9P2000.L", "\0"]))
                }
            }
            let reply = client.exchange(message.finished)
            #expect(reply.count >= 7 && reply.count <= 1 << 20, "seed \(seed)")
        }
        _ = try client.version(8192)
        _ = try client.attach(0)
        #expect(try client.getattr(0).qid.type == 0x80, "seed \(seed)")
    }
}
