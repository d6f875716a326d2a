import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

@Suite("A file that a restored session does not find is stale")
struct SnapshotFailureTests {
    private let tree = Tree()
    private let stale = Refused(ESTALE)

    /// Every request that names a fid.
    private static func requests(_ fid: UInt32) -> [Message] {
        [Message(.walk).word(fid).word(900).short(0), Message(.walk).word(fid).word(900).short(1).string("x"),
         Message(.walk).word(fid).word(fid).short(0), Message(.lopen).word(fid).word(0),
         Message(.lcreate).word(fid).string("x").word(2).word(0o600).word(0), Message(.read).word(fid).long(0).word(1),
         Message(.write).word(fid).long(0).word(1).raw([1]), Message(.readdir).word(fid).long(0).word(100),
         Message(.fsync).word(fid).word(0), Message(.getattr).word(fid).long(0x7FF),
         Message(.setattr).word(fid).word(8).word(0).word(0).word(0).long(0).long(0).long(0).long(0).long(0),
         Message(.statfs).word(fid), Message(.mkdir).word(fid).string("x").word(0o700).word(0),
         Message(.mknod).word(fid).string("x").word(0o100600).word(0).word(0).word(0),
         Message(.symlink).word(fid).string("x").string("t").word(0), Message(.readlink).word(fid),
         Message(.link).word(fid).word(0).string("x"), Message(.link).word(0).word(fid).string("x"),
         Message(.rename).word(fid).word(0).string("x"), Message(.renameat).word(fid).string("x").word(0).string("y"),
         Message(.renameat).word(0).string("file").word(fid).string("y"), Message(.unlinkat).word(fid).string("x").word(0),
         Message(.xattrwalk).word(fid).word(900).string("user.x"), Message(.xattrcreate).word(fid).string("user.x").long(1).word(0),
         Message(.lock).word(fid).byte(1).word(0).long(0).long(0).word(1).string("c"),
         Message(.getlock).word(fid).byte(1).long(0).long(0).word(1).string("c")]
    }

    @Test("every request is answered ESTALE but Tclunk, and Tremove frees the fid too")
    func requests() throws {
        try tree.file(tree.inside("file"))
        let client = try Client(tree.server())
        let fids = [try client.open("file", 2), try client.find("file"), try client.find("file")]
        try client.move(to: tree.server()) { unlink(tree.inside("file")) }
        for fid in fids {
            for message in Self.requests(fid) {
                #expect(throws: stale, "request \(message.bytes[4])") { try client.send(message) }
            }
        }
        try client.clunk(fids[0])
        #expect(throws: stale) { try client.remove(fids[1]) }
        for fid in fids[..<2] { _ = try client.walk(Client.root, fid, []) }
        // It stays so when it is saved again, even if there is a file by then.
        try tree.file(tree.inside("file"))
        try client.move(to: tree.server())
        #expect(throws: stale) { try client.getattr(fids[2]) }
        try client.clunk(fids[2])
        #expect(client.session.fidCount == 3)
    }

    @Test("what was removed before it was saved is stale, also where another file has its name or its inode number")
    func removed() throws {
        let client = try Client(tree.server())
        let (gone, linked) = (try client.create("gone"), try client.create("linked"))
        try client.mkdir(Client.root, "d")
        let directory = try client.open("d")
        #expect(link(tree.inside("linked"), tree.inside("other")) == 0)
        for name in ["gone", "linked"] { unlink(tree.inside(name)) }
        rmdir(tree.inside("d"))
        try tree.file(tree.inside("gone"), "another".raw)
        try tree.file(tree.inside("gone (deleted)"), "another".raw)
        try tree.file(tree.inside("linked (deleted)"), "another".raw)
        mkdir(tree.inside("d"), 0o755)
        try client.move(to: tree.server())
        for fid in [gone, linked, directory] { #expect(throws: stale) { try client.getattr(fid) } }
        #expect(tree.contents(tree.inside("gone")) == "another".raw)
    }

    @Test("a file in the place of another is not taken for it, even with its inode number")
    func replaced() throws {
        try tree.file(tree.inside("renamed"), "old".raw)
        try tree.file(tree.inside("made"), "old".raw)
        let number = try tree.status(tree.inside("made")).st_ino
        let client = try Client(tree.server())
        let (renamed, made) = (try client.open("renamed", 2), try client.open("made", 2))
        try client.move(to: tree.server()) {
            // Many file systems give a number again at once, others never.
            for _ in 0..<10 {
                unlink(tree.inside("made"))
                try tree.file(tree.inside("made"), "new".raw)
                if try tree.status(tree.inside("made")).st_ino == number { break }
            }
            try tree.file(tree.inside("new"), "new".raw)
            #expect(rename(tree.inside("new"), tree.inside("renamed")) == 0)
        }
        for fid in [renamed, made] {
            #expect(throws: stale) { try client.read(fid, at: 0, 3) }
            #expect(throws: stale) { try client.write(fid, at: 0, "bad".raw) }
        }
        for name in ["renamed", "made"] { #expect(tree.contents(tree.inside(name)) == "new".raw) }
    }

    @Test("a symbolic link in the place of a file, or of a directory on the way, leads nowhere")
    func links() throws {
        mkdir(tree.outside("private"), 0o755)
        try tree.file(tree.outside("private/file"), "secret".raw)
        mkdir(tree.inside("d"), 0o755)
        try tree.file(tree.inside("d/file"), "public".raw)
        // The same files, by another way: only the way is at stake then.
        #expect(link(tree.inside("d/file"), tree.outside("private/same")) == 0)
        #expect(rename(tree.inside("d/file"), tree.inside("d/same")) == 0)
        try tree.file(tree.inside("file"))
        let client = try Client(tree.server())
        let fids = [try client.open("d/same", 2), try client.open("file", 2), try client.find("d"), try client.open("d")]
        let after = try tree.server()
        try client.move(to: after) {
            #expect(rename(tree.inside("d"), tree.outside("d")) == 0)
            symlink("../private", tree.inside("d"))
            unlink(tree.inside("file"))
            symlink("../private/file", tree.inside("file"))
        }
        for fid in fids {
            #expect(throws: stale) { try client.write(fid, at: 0, "bad".raw) }
            #expect(throws: stale) { try client.getattr(fid) }
        }
        // The root alone.
        #expect(after.descriptorsInUse == 1)
        #expect(tree.contents(tree.outside("private/file")) == "secret".raw)
        #expect(tree.contents(tree.outside("private/same")) == "public".raw)
    }

    @Test("what has been moved out of the share is not reached any more")
    func outside() throws {
        try tree.file(tree.inside("file"), "text".raw)
        let client = try Client(tree.server())
        let fid = try client.open("file", 2)
        #expect(rename(tree.inside("file"), tree.outside("share-file")) == 0)
        #expect(try client.read(fid, at: 0, 9) == "text".raw)
        try client.move(to: tree.server())
        #expect(throws: stale) { try client.read(fid, at: 0, 9) }
    }

    @Test("a FIFO is known again and never opened, and one in the place of a file is not waited for")
    func fifos() throws {
        #expect(mkfifo(tree.inside("fifo"), 0o600) == 0)
        try tree.file(tree.inside("file"))
        let client = try Client(tree.server())
        let (fifo, file) = (try client.find("fifo"), try client.open("file", 2))
        try client.move(to: tree.server()) {
            unlink(tree.inside("file"))
            #expect(mkfifo(tree.inside("file"), 0o600) == 0)
        }
        #expect(try client.getattr(fifo).mode & S_IFMT == S_IFIFO)
        #expect(throws: Refused(EACCES)) { try client.lopen(fifo) }
        #expect(throws: stale) { try client.getattr(file) }
    }

    @Test("a read-only share has nothing open for writing, whatever it was before")
    func readOnly() throws {
        try tree.file(tree.inside("file"), "text".raw)
        let client = try Client(tree.server())
        let fids = try [0, 1, 2].map { try client.open("file", $0) }
        let draft = try client.find("file")
        try client.move(to: tree.server(readOnly: true))
        #expect(try client.read(fids[0], at: 0, 9) == "text".raw)
        #expect(throws: Refused(EBADF)) { try client.write(fids[0], at: 0, [1]) }
        for fid in fids[1...] { #expect(throws: stale) { try client.write(fid, at: 0, [1]) } }
        #expect(throws: Refused(EROFS)) { try client.setXattr(draft, "user.x", [1]) }
        try client.move(to: tree.server())
        #expect(try client.read(fids[0], at: 0, 9) == "text".raw)
        #expect(throws: stale) { try client.write(fids[1], at: 0, [1]) }
    }

    @Test("fids for which there are no descriptors left are stale, and the limit holds")
    func descriptors() throws {
        mkdir(tree.inside("d"), 0o755)
        for index in 0..<30 { try tree.file(tree.inside("d/file\(index)")) }
        let client = try Client(tree.server())
        let fids = try (0..<30).map { try client.open("d/file\($0)", 2) }
        var options = NinePOptions()
        options.maximumDescriptors = 20
        options.maximumFids = 10
        let server = try tree.server(options: options)
        try client.move(to: server)
        #expect(server.descriptorsInUse <= 20)
        #expect(client.session.fidCount == 31)
        let known = fids.filter { (try? client.write($0, at: 0, [1])) == 1 }
        // The root, the directory, and two for each file.
        #expect(known.count == 9)
        for fid in fids where !known.contains(fid) { #expect(throws: stale) { try client.getattr(fid) } }
        for fid in fids { try client.clunk(fid) }
        #expect(server.descriptorsInUse == 1)
    }
}
