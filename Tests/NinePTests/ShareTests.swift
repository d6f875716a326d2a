import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

@Suite("A directory of shares")
struct ShareTests {
    private let tree = Tree()

    private func share(_ name: String, readOnly: Bool = false) throws -> Share {
        mkdir(tree.inside(name), 0o755)
        try tree.file(tree.inside("\(name)/file"), name.raw)
        return Share(name: name, path: tree.inside(name), isReadOnly: readOnly, ownership: .passthrough)
    }

    @Test("shares appear by name, and are reached by walking or attaching")
    func names() throws {
        let server = try NinePServer()
        let client = try Client(server)
        #expect(try client.list().isEmpty)
        try server.add(share("one"))
        try server.add(share("two", readOnly: true))
        #expect(try client.list().map(\.name) == ["one".raw, "two".raw])
        #expect(try client.list().allSatisfy { $0.type == 4 && $0.qid.type == 0x80 })
        #expect(try client.read(client.open("one/file"), at: 0, 10) == "one".raw)
        #expect(throws: Refused(EROFS)) { try client.open("two/file", 1) }
        #expect(throws: Refused(ENOENT)) { try client.walk(Client.root, 99, ["three".raw]) }
        for name in ["one", "/one"] {
            let direct = try Client(server, attach: name)
            #expect(try direct.read(direct.open("file"), at: 0, 10) == "one".raw)
        }
        #expect(throws: Refused(ENOENT)) { try Client(server, attach: "three") }
        #expect(throws: Refused(EINVAL)) { try Client(server, attach: "one/..") }
        #expect(try Client(server, attach: "/").list().count == 2)
    }

    @Test("the directory itself cannot be changed")
    func fixed() throws {
        let server = try NinePServer()
        try server.add(share("one"))
        let client = try Client(server)
        let refused = Refused(EROFS)
        let one = try client.find("one")
        #expect(throws: refused) { try client.create("x") }
        #expect(throws: refused) { try client.mkdir(Client.root, "x") }
        #expect(throws: refused) { try client.symlink(Client.root, "x", to: "y") }
        #expect(throws: refused) { try client.unlinkat(Client.root, "one", flags: 0x200) }
        #expect(throws: refused) { try client.renameat(Client.root, "one", Client.root, "x") }
        #expect(throws: refused) { try client.rename(one, Client.root, "x") }
        #expect(throws: refused) { try client.link(Client.root, client.find("one/file"), "x") }
        #expect(throws: refused) { try client.setattr(Client.root, .mode(0)) }
        #expect(throws: refused) { try client.setXattr(Client.root, "user.x", [1]) }
        #expect(throws: Refused(ENODATA)) { try client.xattr(Client.root, "user.x") }
        #expect(try client.xattrNames(Client.root).isEmpty)
        #expect(throws: Refused(EISDIR)) { try client.open("", 2) }
        #expect(throws: Refused(EBUSY)) { try client.remove(one) }
        #expect(throws: Refused(EROFS)) { try client.remove(client.find("")) }
        let attributes = try client.getattr(Client.root)
        #expect(attributes.mode == S_IFDIR | 0o755 && attributes.qid.version != 0)
        _ = try client.send(Message(.statfs).word(Client.root))
    }

    @Test("files are not moved or linked from share to share")
    func apart() throws {
        let server = try NinePServer()
        try server.add(share("one"))
        try server.add(share("two"))
        let client = try Client(server)
        let (one, two) = (try client.find("one"), try client.find("two"))
        #expect(throws: Refused(EXDEV)) { try client.renameat(one, "file", two, "x") }
        #expect(throws: Refused(EXDEV)) { try client.rename(client.find("one/file"), two, "x") }
        #expect(throws: Refused(EXDEV)) { try client.link(two, client.find("one/file"), "x") }
        #expect(try client.list("two").count == 1)
    }

    @Test("a share that is removed is gone: its fids answer ESTALE, and nothing of it stays open")
    func removal() throws {
        let server = try NinePServer()
        try server.add(share("one"))
        try server.add(share("two"))
        let client = try Client(server)
        let (open, path, root) = (try client.open("one/file", 2), try client.find("one/file"), try client.find("one"))
        let draft = try client.find("one/file")
        _ = try client.send(Message(.xattrcreate).word(draft).string("user.x").long(0).word(0))
        let value = client.newFid()
        _ = try client.send(Message(.xattrwalk).word(path).word(value).string(""))
        #expect(server.remove("one"))
        #expect(!server.remove("one"))
        #expect(server.descriptorsInUse == 0)
        let stale = Refused(ESTALE)
        #expect(throws: stale) { try client.read(open, at: 0, 1) }
        #expect(throws: stale) { try client.write(open, at: 0, [1]) }
        #expect(throws: stale) { try client.read(value, at: 0, 1) }
        #expect(throws: stale) { try client.getattr(path) }
        #expect(throws: stale) { try client.lopen(path) }
        #expect(throws: stale) { try client.walk(root, 99, ["file".raw]) }
        #expect(throws: stale) { try client.walk(root, 99, []) }
        #expect(throws: stale) { try client.mkdir(root, "x") }
        #expect(throws: stale) { try client.remove(path) }
        for fid in [open, root, draft, value] { try client.clunk(fid) }
        #expect(try client.list().map(\.name) == ["two".raw])
        // The name is free again, and means the new share.
        try server.add(share("one"))
        #expect(try client.read(client.open("one/file"), at: 0, 9) == "one".raw)
    }

    @Test("a listing goes on where it was while shares come and go")
    func listing() throws {
        let server = try NinePServer()
        for name in ["a", "b", "c", "d"] { try server.add(share(name)) }
        let client = try Client(server)
        let fid = try client.open("", 0)
        var names: [[UInt8]] = []
        var offset: UInt64 = 0
        while let entry = try client.readdir(fid, from: offset, 30).first {
            names.append(entry.name)
            offset = entry.offset
            if entry.name == "b".raw {
                server.remove("a")
                server.remove("c")
                try server.add(share("a"))
            }
        }
        #expect(names == [".", "..", "a", "b", "d", "a"].map(\.raw))
        #expect(throws: Refused(EINVAL)) { try client.readdir(fid, 20) }
    }

    @Test("what cannot be shared is refused at once, with a reason")
    func errors() throws {
        let server = try NinePServer()
        func add(_ name: String, _ path: String) throws {
            try server.add(Share(name: name, path: path, ownership: .passthrough))
        }
        try tree.file(tree.inside("file"))
        #expect(throws: ShareError.open(path: "/none", .noEntry)) { try add("x", "/none") }
        #expect(throws: ShareError.kind(path: "/dev/null")) { try add("x", "/dev/null") }
        #expect(throws: ShareError.notDirectory(path: tree.inside("file"))) {
            try NinePServer(share: Share(name: "x", path: tree.inside("file"), ownership: .passthrough))
        }
        for name in ["", ".", "..", "a/b", String(repeating: "x", count: 256)] {
            #expect(throws: ShareError.name(name)) { try add(name, tree.share) }
        }
        try add("x", tree.share)
        #expect(throws: ShareError.nameTaken("x")) { try add("x", tree.share) }
        #expect(ShareError.open(path: "/none", .noEntry).description == "/none: No such file or directory")
    }

    @Test("files of two file systems have two qids, even with one inode number")
    func devices() throws {
        // /dev/shm is a file system of its own on every Linux that tests run on.
        let server = try NinePServer()
        try server.add(share("one"))
        try server.add(Share(name: "shm", path: "/dev/shm", isReadOnly: true, ownership: .passthrough))
        let client = try Client(server)
        let one = try client.getattr(client.find("one")).qid.path
        let shm = try client.getattr(client.find("shm")).qid.path
        #expect(one >> 48 != shm >> 48)
        #expect(try one == UInt64(tree.status(tree.inside("one")).st_ino))
    }
}
