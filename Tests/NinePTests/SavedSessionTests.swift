import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import TestSupport
import Testing

@Suite("Saved sessions as bytes")
struct SavedSessionTests {
    private let tree = Tree()

    /// A session with something of everything.
    private func session(_ server: NinePServer) throws -> Client {
        mkdir(tree.inside("d"), 0o755)
        try tree.file(tree.inside("d/file"), "text".raw)
        #expect(setxattr(tree.inside("d/file"), "user.x", "1", 1, 0) == 0)
        try server.add(Share(name: "s", path: tree.share, ownership: .passthrough))
        try server.add(Share(name: "t", path: tree.inside("d"), ownership: .passthrough))
        let client = try Client(server, messageSize: 8192, user: 5)
        _ = try client.open("")
        _ = try client.open("s/d")
        _ = try client.open("t/file", 0o2002)
        _ = try client.create("made", in: client.find("s"))
        _ = try client.send(Message(.xattrwalk).word(client.find("t/file")).word(client.newFid()).string("user.x"))
        let gone = try client.create("gone", in: client.find("t"))
        try client.unlinkat(client.find("t"), "gone")
        #expect(try client.getattr(gone).size == 0)
        return client
    }

    @Test("what is read is what was written, and it does not change by being restored")
    func equality() throws {
        let client = try session(NinePServer())
        let saved = client.session.saved()
        #expect(saved == client.session.saved())
        #expect(try SavedSession(encoded: saved.encoded) == saved)
        let server = try NinePServer()
        try server.add(Share(name: "s", path: tree.share, ownership: .passthrough))
        try server.add(Share(name: "t", path: tree.inside("d"), ownership: .passthrough))
        #expect(server.restore(saved).saved() == saved)
        _ = try client.find("s")
        #expect(client.session.saved() != saved)
    }

    @Test("it is small: names once, and no more for what the client does not name")
    func size() throws {
        let client = try session(NinePServer())
        let before = client.session.saved().encoded.count
        let name = String(repeating: "n", count: 200)
        mkdir(tree.inside(name), 0o755)
        for index in 0..<50 { try tree.file(tree.inside("\(name)/\(index)")) }
        #expect(client.session.saved().encoded.count == before)
        for index in 0..<50 { _ = try client.find("s/\(name)/\(index)") }
        let added = client.session.saved().encoded.count - before
        #expect(added < 50 * 80 + 300)
    }

    @Test("bytes cut anywhere are refused, and so are bytes with more behind them")
    func cut() throws {
        let bytes = try session(NinePServer()).session.saved().encoded
        for count in 0..<bytes.count {
            #expect(throws: (any Error).self, "\(count)") { try SavedSession(encoded: Array(bytes[..<count])) }
        }
        #expect(throws: (any Error).self) { try SavedSession(encoded: bytes + [0]) }
    }

    @Test("a fid that comes twice is refused, and so is the number that is none")
    func numbers() throws {
        let server = try NinePServer()
        try server.add(Share(name: "s", path: tree.share, ownership: .passthrough))
        let client = try Client(server)
        let fid = try client.find("s")
        server.remove("s")
        let bytes = client.session.saved().encoded
        // The last of two fids, which takes number[4] user[4] place[1] use[1].
        let place = bytes.count - 10
        #expect(Array(bytes[place..<(place + 4)]) == [UInt8(fid), 0, 0, 0])
        for number in [[0, 0, 0, 0], [255, 255, 255, 255]] as [[UInt8]] {
            #expect(throws: (any Error).self) {
                try SavedSession(encoded: Array(bytes[..<place]) + number + Array(bytes[(place + 4)...]))
            }
        }
        #expect(throws: Never.self) {
            try SavedSession(encoded: Array(bytes[..<place]) + [254, 255, 255, 255] + Array(bytes[(place + 4)...]))
        }
    }

    @Test("whatever bytes there are, they are refused or restored, and the session answers", arguments: 1...8 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let server = try NinePServer()
        let client = try session(server)
        let bytes = client.session.saved().encoded
        client.session.reset()
        var restored = 0
        for round in 0..<300 {
            var changed = round % 5 == 0 ? random.bytes(random.below(300)) : bytes
            for _ in 0..<random.below(4) where !changed.isEmpty {
                let place = random.below(changed.count)
                // Small numbers and the largest ones are what most fields care about.
                changed[place] = random.pick([UInt8(truncatingIfNeeded: random.next()), 0, 1, 2, 3, 0x7F, 0x80, 0xFF])
            }
            guard let saved = try? SavedSession(encoded: changed) else { continue }
            restored += 1
            #expect(try SavedSession(encoded: saved.encoded) == saved)
            let session = server.restore(saved)
            let worker = NinePWorker(session: session, vectorCapacity: 16)
            for fid in 0..<16 as Range<UInt32> {
                for message in [Message(.getattr).word(fid).long(0x7FF), Message(.readdir).word(fid).long(0).word(1000),
                                Message(.read).word(fid).long(0).word(10), Message(.clunk).word(fid)] {
                    let buffers = MemoryBuffers(message.finished, replyCapacity: 8192)
                    let ticket = try #require(session.admit(buffers))
                    #expect(worker.serve(ticket, buffers) >= 7)
                    session.finish(ticket)
                }
            }
            session.reset()
        }
        #expect(restored > 20)
        #expect(server.descriptorsInUse == 0)
        #expect(try Set(Client(server).list().map(\.name)) == ["s".raw, "t".raw])
    }
}
