import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

@Suite("Shares of a server that a session is restored in")
struct SnapshotShareTests {
    private let tree = Tree()
    private let stale = Refused(ESTALE)

    private func share(_ name: String) throws -> Share {
        mkdir(tree.inside(name), 0o755)
        try tree.file(tree.inside("\(name)/file"), name.raw)
        return Share(name: name, path: tree.inside(name), ownership: .passthrough)
    }

    private func server(_ names: [String]) throws -> NinePServer {
        let server = try NinePServer()
        for name in names { try server.add(share(name)) }
        return server
    }

    @Test("fids of two shares and of the directory that holds them go on")
    func two() throws {
        let client = try Client(server(["one", "two"]))
        let names = ["one", "two"]
        let (roots, files) = (try names.map { try client.find($0) }, try names.map { try client.open("\($0)/file", 2) })
        let attributes = client.newFid()
        _ = try client.send(Message(.xattrwalk).word(Client.root).word(attributes).string(""))
        let paths = try (roots + files).map { try client.getattr($0).qid.path }
        // In another order.
        try client.move(to: server(["two", "one"]))
        #expect(try (roots + files).map { try client.getattr($0).qid.path } == paths)
        for (fid, name) in zip(files, names) {
            #expect(try client.read(fid, at: 0, 9) == name.raw)
            #expect(try client.write(fid, at: 0, "X".raw) == 1)
        }
        #expect(try client.getattr(Client.root).mode == S_IFDIR | 0o755)
        #expect(try client.read(attributes, at: 0, 9).isEmpty)
        #expect(try Set(client.list().map(\.name)) == Set(names.map(\.raw)))
        #expect(throws: Refused(EXDEV)) { try client.link(roots[0], files[1], "x") }
        #expect(throws: Refused(EROFS)) { try client.mkdir(Client.root, "x") }
    }

    @Test("a share that is not there leaves its fids stale, also when it is added later, and the others whole")
    func missing() throws {
        let client = try Client(server(["one", "two"]))
        let (root, one, two) = (try client.find("one"), try client.open("one/file", 2), try client.open("two/file"))
        let after = try server(["two"])
        try client.move(to: after)
        for fid in [root, one] { #expect(throws: stale) { try client.getattr(fid) } }
        #expect(try client.read(two, at: 0, 9) == "two".raw)
        #expect(throws: Refused(ENOENT)) { try client.find("one") }
        try after.add(share("one"))
        #expect(throws: stale) { try client.getattr(one) }
        #expect(try client.read(client.open("one/file"), at: 0, 9) == "one".raw)
        for fid in [root, one, two] { try client.clunk(fid) }
        // A share that is removed from the new server is gone there like any other.
        let again = try client.open("two/file")
        after.remove("two")
        #expect(throws: stale) { try client.read(again, at: 0, 1) }
    }

    @Test("another directory under a share's name is not taken for it")
    func other() throws {
        let client = try Client(server(["one"]))
        let (root, file) = (try client.find("one"), try client.open("one/file"))
        let after = try NinePServer()
        var share = try share("two")
        share.name = "one"
        try after.add(share)
        try client.move(to: after)
        for fid in [root, file] { #expect(throws: stale) { try client.getattr(fid) } }
        #expect(try client.read(client.open("one/file"), at: 0, 9) == "two".raw)
    }

    @Test("a listing of shares goes on where it was, whatever shares there are now")
    func listing() throws {
        let before = try server(["a", "b", "c"])
        before.remove("a")
        try before.add(share("a"))
        let client = try Client(before)
        let fid = try client.open("")
        // `.`, `..` and b
        let first = try client.readdir(fid, 24 * 3 + 4)
        #expect(first.last?.name == "b".raw)
        before.remove("c")
        try client.move(to: server(["new", "a", "b"]))
        #expect(try client.readdir(fid, from: #require(first.last).offset).map(\.name) == ["a", "new"].map(\.raw))
        let entries = try client.readdir(fid)
        #expect(entries.map(\.name) == [".", "..", "b", "a", "new"].map(\.raw))
        #expect(Set(entries.map(\.offset)).count == 5)
    }

    @Test("the share of a server of one is found by its name")
    func single() throws {
        let one = try share("one")
        let client = try Client(NinePServer(share: one))
        let file = try client.open("file")
        try client.move(to: server(["two", "one"]))
        #expect(try client.read(file, at: 0, 9) == "one".raw)
        #expect(try client.getattr(Client.root).qid.path == UInt64(tree.status(tree.inside("one")).st_ino))
        let directory = try Client(server(["one"]))
        let (root, inside) = (try directory.open(""), try directory.open("one/file"))
        try directory.move(to: NinePServer(share: one))
        #expect(throws: stale) { try directory.readdir(root) }
        #expect(try directory.read(inside, at: 0, 9) == "one".raw)
        // One directory under another name is another share.
        try directory.move(to: NinePServer(share: Share(name: "uno", path: one.path, ownership: .passthrough)))
        #expect(throws: stale) { try directory.read(inside, at: 0, 9) }
    }

    @Test("files of several file systems keep their qids")
    func devices() throws {
        let shm = Share(name: "shm", path: "/dev/shm", isReadOnly: true, ownership: .passthrough)
        func server() throws -> NinePServer {
            let server = try self.server(["one"])
            try server.add(shm)
            return server
        }
        let client = try Client(server())
        // The second share is the first to be asked for.
        let fids = [try client.find("shm"), try client.find("one")]
        let qids = try fids.map { try client.getattr($0).qid }
        #expect(qids[0].path >> 48 == 0 && qids[1].path >> 48 == 1)
        try client.move(to: server())
        #expect(try client.getattr(fids[1]).qid == qids[1])
        #expect(try client.getattr(fids[0]).qid.path == qids[0].path)
    }

    @Test("a file system may have another device number by then, where files have a time of creation")
    func remounted() throws {
        let client = try Client(server(["one"]))
        let (root, file) = (try client.find("one"), try client.open("one/file", 2))
        let paths = try [root, file].map { try client.getattr($0).qid.path }
        let attributes = try fileAttributes(at: tree.inside("one/file"))
        func bytes(_ number: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
        // As if it had been saved when the number was this one.
        let saved = client.session.saved().encoded
        let before = saved.replacing(bytes(attributes.device), with: bytes(0xFFFE_0000_FFFE))
        #expect(before != saved)
        client.restore(try SavedSession(encoded: before), in: try server(["one"]))
        guard attributes.created != nil else {
            for fid in [root, file] { #expect(throws: stale) { try client.getattr(fid) } }
            return
        }
        #expect(try [root, file].map { try client.getattr($0).qid.path } == paths)
        #expect(try client.write(file, at: 0, [1]) == 1)
        // Of the file alone: it would be in another file system than it was.
        let last = try #require(saved.ranges(of: bytes(attributes.device)).last)
        var other = saved
        other.replaceSubrange(last, with: bytes(0xFFFE_0000_FFFE))
        client.restore(try SavedSession(encoded: other), in: try server(["one"]))
        #expect(try client.getattr(root).qid.path == paths[0])
        #expect(throws: stale) { try client.getattr(file) }
    }

    @Test("a share of everything has paths too")
    func everything() throws {
        try tree.file(tree.inside("file"), "text".raw)
        let share = Share(name: "all", path: "/", isReadOnly: true, ownership: .passthrough)
        let client = try Client(NinePServer(share: share))
        let fid = try client.open(tree.inside("file"))
        let root = try client.getattr(Client.root)
        try client.move(to: NinePServer(share: share))
        #expect(try client.read(fid, at: 0, 9) == "text".raw)
        #expect(try client.getattr(Client.root).qid == root.qid)
    }
}
