import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

@Suite("9P messages")
struct MessageTests {
    private let tree = Tree()

    @Test("msize is the smaller of both sides', and at least a page", arguments: [
        (4096, 4096), (5000, 5000), (524_288, 524_288), (1 << 20, 1 << 20), (1 << 31, 1 << 20)] as [(UInt32, UInt32)])
    func version(asked: UInt32, agreed: UInt32) throws {
        let client = try Client(tree.server(), attach: nil)
        #expect(try client.version(asked) == agreed)
    }

    @Test("too small an msize is refused, an unknown version named so, and nothing works without a version")
    func badVersion() throws {
        let client = try Client(tree.server(), attach: nil)
        #expect(throws: Refused(EPROTO)) { try client.attach(0) }
        #expect(throws: Refused(EMSGSIZE)) { try client.version(4095) }
        var fields = try client.send(Message(.version, tag: 0xFFFF).word(8192).string("9P2000.u"))
        _ = try fields.word()
        #expect(try fields.string() == "unknown".raw)
        #expect(throws: Refused(EPROTO)) { try client.attach(0) }
    }

    @Test("a new version clunks every fid")
    func versionAgain() throws {
        let server = try tree.server()
        let client = try Client(server)
        _ = try client.create("file")
        #expect(client.session.fidCount == 2)
        let inUse = server.descriptorsInUse
        _ = try client.version(8192)
        #expect(client.session.fidCount == 0)
        // The root's, and the one that the new file's place and its open file share.
        #expect(server.descriptorsInUse == inUse - 2)
        #expect(throws: Refused(EBADF)) { try client.getattr(Client.root) }
    }

    @Test("authentication is not asked for, and cannot be had")
    func auth() throws {
        let client = try Client(tree.server())
        #expect(throws: Refused(EOPNOTSUPP)) {
            try client.send(Message(.auth).word(5).string("root").string("").word(0))
        }
        #expect(throws: Refused(EBADF)) {
            try client.send(Message(.attach).word(5).word(3).string("").string("").word(0))
        }
    }

    @Test("a walk says how far it came, and makes its fid only at the end")
    func walk() throws {
        let client = try Client(tree.server())
        try client.mkdir(Client.root, "a")
        let a = try client.find("a")
        try client.mkdir(a, "b")
        #expect(try client.walk(Client.root, 50, ["a".raw, "b".raw]).map(\.type) == [0x80, 0x80])
        #expect(try client.walk(Client.root, 51, ["a".raw, "x".raw, "b".raw]).count == 1)
        #expect(throws: Refused(EBADF)) { try client.getattr(51) }
        #expect(throws: Refused(ENOENT)) { try client.walk(Client.root, 51, ["x".raw]) }
        #expect(try client.walk(Client.root, 51, []).isEmpty)
        #expect(try client.getattr(51) == client.getattr(Client.root))
        // A fid in use is not given away; the fid itself may move.
        #expect(throws: Refused(EINVAL)) { try client.walk(Client.root, 50, []) }
        #expect(throws: Refused(EINVAL)) { try client.walk(Client.root, ~0, []) }
        #expect(try client.walk(51, 51, ["a".raw]).count == 1)
        #expect(try client.getattr(51).qid == client.getattr(a).qid)
        try tree.file(tree.inside("file"))
        let file = try client.find("file")
        #expect(throws: Refused(ENOTDIR)) { try client.walk(file, 60, ["x".raw]) }
        let names = [[UInt8]](repeating: "a".raw, count: 17)
        #expect(throws: Refused(EINVAL)) { try client.walk(Client.root, 60, names) }
    }

    @Test("files are made, written, read and synchronized")
    func fileContents() throws {
        let client = try Client(tree.server())
        let fid = try client.create("file", mode: 0o640)
        #expect(try client.write(fid, at: 0, "hello".raw) == 5)
        #expect(try client.write(fid, at: 10, "there".raw) == 5)
        #expect(try client.read(fid, at: 0, 100) == "hello".raw + [0, 0, 0, 0, 0] + "there".raw)
        #expect(try client.read(fid, at: 12, 2) == "er".raw)
        #expect(try client.read(fid, at: 15, 10).isEmpty)
        #expect(try client.read(fid, at: 1 << 40, 10).isEmpty)
        try client.fsync(fid)
        try client.fsync(fid, dataOnly: true)
        try client.clunk(fid)
        #expect(throws: Refused(EBADF)) { try client.clunk(fid) }
        #expect(tree.contents(tree.inside("file"))?.count == 15)
        #expect(try tree.status(tree.inside("file")).st_mode == S_IFREG | 0o640)
    }

    @Test("an exclusive creation fails where there is a file; any other opens it")
    func createExisting() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"), "old".raw)
        #expect(throws: Refused(EEXIST)) { try client.create("file", flags: 2 | 0o200) }
        let fid = try client.create("file", flags: 2)
        #expect(try client.read(fid, at: 0, 10) == "old".raw)
        _ = try client.create("file", flags: 2 | 0o1000)
        #expect(tree.contents(tree.inside("file")) == [])
        mkdir(tree.inside("directory"), 0o755)
        #expect(throws: Refused(EISDIR)) { try client.create("directory") }
        #expect(throws: Refused(EINVAL)) { try client.create("other", flags: 3) }
    }

    @Test("what is open is open once, and what is not open cannot be used")
    func openState() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"), "text".raw)
        let fid = try client.find("file")
        #expect(throws: Refused(EBADF)) { try client.read(fid, at: 0, 1) }
        #expect(throws: Refused(EBADF)) { try client.write(fid, at: 0, [1]) }
        #expect(throws: Refused(EBADF)) { try client.fsync(fid) }
        #expect(throws: Refused(EBADF)) { try client.readdir(fid) }
        #expect(throws: Refused(EBADF)) { try client.lock(fid, 0) }
        try client.lopen(fid)
        #expect(throws: Refused(EINVAL)) { try client.lopen(fid) }
        #expect(throws: Refused(EBADF)) { try client.write(fid, at: 0, [1]) }
        #expect(throws: Refused(ENOTDIR)) { try client.readdir(fid) }
        let writer = try client.open("file", 1)
        #expect(throws: Refused(EBADF)) { try client.read(writer, at: 0, 1) }
        let root = try client.find("")
        #expect(throws: Refused(EISDIR)) { try client.lopen(root, 1) }
        try client.lopen(root)
        #expect(throws: Refused(EINVAL)) { try client.walk(root, root, ["file".raw]) }
        #expect(throws: Refused(EISDIR)) { try client.read(root, at: 0, 1) }
        #expect(throws: Refused(ENOTDIR)) { try client.open("file", 0o200000) }
    }

    @Test("appending goes to the end whatever the offset; truncating empties")
    func openFlags() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"), "one".raw)
        let fid = try client.open("file", 1 | 0o2000)
        try client.write(fid, at: 0, "two".raw)
        #expect(tree.contents(tree.inside("file")) == "onetwo".raw)
        _ = try client.open("file", 1 | 0o1000)
        #expect(tree.contents(tree.inside("file")) == [])
    }

    @Test("directories, links, symbolic links and their targets")
    func names() throws {
        let client = try Client(tree.server(), user: 7)
        try client.mkdir(Client.root, "d", mode: 0o2750, group: 8)
        let status = try tree.status(tree.inside("d"))
        #expect(status.st_mode == S_IFDIR | 0o2750 && status.st_uid == 7 && status.st_gid == 8)
        #expect(throws: Refused(EEXIST)) { try client.mkdir(Client.root, "d") }
        try client.symlink(Client.root, "s", to: "../outside/where", group: 8)
        let link = try client.find("s")
        #expect(try client.readlink(link) == "../outside/where".raw)
        #expect(try client.getattr(link).user == 7)
        #expect(throws: Refused(ELOOP)) { try client.lopen(link) }
        #expect(throws: Refused(ENOTDIR)) { try client.walk(link, 70, ["x".raw]) }
        #expect(throws: Refused(EOPNOTSUPP)) { try client.setattr(link, .mode(0o600)) }
        #expect(throws: Refused(EINVAL)) { try client.readlink(Client.root) }
        try tree.file(tree.inside("file"), "x".raw)
        let file = try client.find("file")
        let directory = try client.find("d")
        try client.link(directory, file, "again")
        #expect(try client.getattr(file).links == 2)
        #expect(try client.getattr(client.find("d/again")).qid == client.getattr(file).qid)
        #expect(throws: Refused(EEXIST)) { try client.link(directory, file, "again") }
        #expect(throws: Refused(EPERM)) { try client.link(directory, directory, "self") }
        #expect(throws: Refused(ENOTDIR)) { try client.link(file, file, "x") }
        try client.link(directory, link, "link")
        #expect(try client.readlink(client.find("d/link")) == "../outside/where".raw)
    }

    @Test("renaming by fid and by name")
    func renaming() throws {
        let client = try Client(tree.server())
        try client.mkdir(Client.root, "d")
        let directory = try client.find("d")
        try tree.file(tree.inside("a"), "a".raw)
        let a = try client.find("a")
        try client.rename(a, directory, "b")
        #expect(tree.contents(tree.inside("d/b")) == "a".raw)
        try client.rename(a, Client.root, "c")
        #expect(tree.contents(tree.inside("c")) == "a".raw)
        try client.renameat(Client.root, "c", directory, "e")
        #expect(tree.contents(tree.inside("d/e")) == "a".raw)
        // The fid still has the file, and no longer knows where it is.
        #expect(throws: Refused(ENOENT)) { try client.rename(a, Client.root, "x") }
        try tree.file(tree.inside("c"), "other".raw)
        #expect(throws: Refused(ESTALE)) { try client.rename(a, Client.root, "x") }
        #expect(throws: Refused(EBUSY)) { try client.rename(Client.root, directory, "x") }
        #expect(throws: Refused(EINVAL)) { try client.renameat(Client.root, "d", directory, "d") }
        #expect(throws: Refused(ENOENT)) { try client.renameat(Client.root, "none", directory, "d") }
    }

    @Test("names are removed, by name and by fid, which goes in any case")
    func removing() throws {
        let client = try Client(tree.server())
        try client.mkdir(Client.root, "d")
        try tree.file(tree.inside("d/file"))
        #expect(throws: Refused(EISDIR)) { try client.unlinkat(Client.root, "d") }
        #expect(throws: Refused(ENOTEMPTY)) { try client.unlinkat(Client.root, "d", flags: 0x200) }
        #expect(throws: Refused(EINVAL)) { try client.unlinkat(Client.root, "d", flags: 0x100) }
        let directory = try client.find("d")
        #expect(throws: Refused(ENOTDIR)) { try client.unlinkat(directory, "file", flags: 0x200) }
        let file = try client.find("d/file")
        let gone = try client.find("d")
        #expect(throws: Refused(ENOTEMPTY)) { try client.remove(gone) }
        #expect(throws: Refused(EBADF)) { try client.getattr(gone) }
        try client.remove(file)
        try client.unlinkat(Client.root, "d", flags: 0x200)
        #expect(throws: Refused(ENOENT)) { try client.find("d") }
        #expect(throws: Refused(EBUSY)) { try client.remove(client.find("")) }
    }

    @Test("nodes are made as far as the share allows it, and never opened",
          arguments: [(SpecialFiles.none, false, false), (.harmless, true, false), (.all, true, true)])
    func nodes(allowed: SpecialFiles, harmless: Bool, devices: Bool) throws {
        let client = try Client(tree.server(specialFiles: allowed))
        func make(_ name: String, _ mode: UInt32, _ isAllowed: Bool) throws {
            if isAllowed {
                try client.mknod(Client.root, name, mode: mode | 0o640, major: 1, minor: 3)
                #expect(try client.getattr(client.find(name)).mode == mode | 0o640)
                if mode & S_IFMT != S_IFREG {
                    #expect(throws: Refused(EACCES)) { try client.open(name) }
                    #expect(throws: Refused(EACCES)) { try client.create(name) }
                }
            } else {
                #expect(throws: Refused(EPERM)) {
                    try client.mknod(Client.root, name, mode: mode | 0o640, major: 1, minor: 3)
                }
            }
        }
        try make("regular", S_IFREG, true)
        try make("fifo", S_IFIFO, harmless)
        try make("socket", S_IFSOCK, harmless)
        try make("zero", S_IFCHR, devices)
        try make("disk", S_IFBLK, devices)
        if devices { #expect(try client.getattr(client.find("zero")).device == 0x103) }
        #expect(throws: Refused(EINVAL)) { try client.mknod(Client.root, "d", mode: S_IFDIR | 0o700) }
        #expect(throws: Refused(EINVAL)) { try client.mknod(Client.root, "d", mode: S_IFLNK | 0o700) }
        #expect(throws: Refused(EINVAL)) { try client.mknod(Client.root, "d", mode: 0o170000) }
        #expect(throws: Refused(EINVAL)) { try client.mknod(Client.root, "d", mode: S_IFCHR, major: 1 << 12) }
    }

    @Test("statfs says what the host says")
    func statfs() throws {
        let client = try Client(tree.server())
        var fields = try client.send(Message(.statfs).word(Client.root))
        let expected = try FileDescriptor.open(tree.share, .readOnly).fileSystemStatus()
        #expect(try fields.word() == expected.type)
        #expect(try fields.word() == expected.blockSize)
        #expect(try fields.long() == expected.blocks)
        _ = try fields.raw(16)
        #expect(try fields.long() == expected.files)
        _ = try fields.long()
        #expect(try fields.long() == expected.identifier)
        #expect(try fields.word() == 255)
        #expect(fields.left == 0)
    }
}
