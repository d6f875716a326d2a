import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

@Suite("A single file that is shared")
struct FileShareTests {
    private let tree = Tree()

    /// A directory of shares with nothing but one file, which lies beside another one on the host.
    private func client(_ ownership: Ownership = .passthrough, readOnly: Bool = false) throws -> Client {
        try tree.file(tree.inside("file"), "contents".raw)
        try tree.file(tree.inside("beside"), "secret".raw)
        let server = try NinePServer()
        try server.add(Share(name: "one", path: tree.inside("file"), isReadOnly: readOnly, ownership: ownership))
        return try Client(server)
    }

    @Test("it is listed as a file, read and written, and the host sees what was written")
    func use() throws {
        let client = try client()
        let entries = try client.list()
        #expect(entries.map(\.name) == ["one".raw])
        // DT_REG, and a qid that is no directory's.
        #expect(entries.allSatisfy { $0.type == 8 && $0.qid.type == 0 })
        let file = try client.open("one", 2)
        #expect(try client.read(file, at: 0, 100) == "contents".raw)
        #expect(try client.write(file, at: 0, "CON".raw) == 3)
        #expect(tree.contents(tree.inside("file")) == "CONtents".raw)
        try client.setattr(client.find("one"), .size(3))
        #expect(tree.contents(tree.inside("file")) == "CON".raw)
        #expect(try client.getattr(client.find("one")).mode & S_IFMT == S_IFREG)
    }

    @Test("nothing leads from the file to its directory, or to what is beside it")
    func hostileNames() throws {
        let client = try client()
        let file = try client.find("one")
        for name in ["..", ".", "/", "../beside", "one/..", ""] {
            #expect(throws: Refused(EINVAL)) { try client.walk(file, 99, [name.raw]) }
            #expect(throws: Refused(EINVAL)) { try client.walk(Client.root, 99, [name.raw]) }
        }
        for name in ["beside", "file", "one"] {
            #expect(throws: Refused(ENOTDIR)) { try client.walk(file, 99, [name.raw]) }
        }
        #expect(throws: Refused(ENOENT)) { try client.walk(Client.root, 99, ["beside".raw]) }
        #expect(throws: Refused(ENOENT)) { try client.walk(Client.root, 99, ["file".raw]) }
        #expect(throws: Refused(ENOTDIR)) { try client.lopen(file, 0o200000) }
        #expect(throws: Refused(EINVAL)) { try client.readlink(file) }
    }

    @Test("nothing is made, renamed, linked or removed beside it")
    func hostileChanges() throws {
        let client = try client()
        let file = try client.find("one")
        for refused in [(Client.root, Refused(EROFS)), (file, Refused(ENOTDIR))] {
            let (fid, error) = refused
            #expect(throws: error) { try client.create("x", in: fid) }
            #expect(throws: error) { try client.mkdir(fid, "x") }
            #expect(throws: error) { try client.symlink(fid, "x", to: "/etc/passwd") }
            #expect(throws: error) { try client.mknod(fid, "x", mode: 0o600) }
            #expect(throws: error) { try client.unlinkat(fid, "beside") }
            #expect(throws: error) { try client.renameat(fid, "one", fid, "x") }
            #expect(throws: error) { try client.link(fid, file, "x") }
        }
        #expect(throws: Refused(EROFS)) { try client.rename(file, Client.root, "x") }
        #expect(throws: Refused(EBUSY)) { try client.rename(file, client.find("one"), "x") }
        #expect(throws: Refused(EBUSY)) { try client.remove(client.find("one")) }
        #expect(tree.contents(tree.inside("beside")) == "secret".raw)
        #expect(try client.list().count == 1)
        #expect(Set(try names(inDirectory: tree.share)) == ["file", "beside"])
    }

    @Test("a file of the same name that takes its place later is another one")
    func replaced() throws {
        let client = try client()
        try tree.file(tree.inside("new"), "replaced".raw)
        symlink(tree.inside("beside"), tree.inside("link"))
        #expect(rename(tree.inside("new"), tree.inside("file")) == 0)
        #expect(try client.read(client.open("one"), at: 0, 100) == "contents".raw)
        #expect(rename(tree.inside("link"), tree.inside("file")) == 0)
        #expect(try client.read(client.open("one"), at: 0, 100) == "contents".raw)
    }

    @Test("a symbolic link in the path is followed once, when the file is shared")
    func link() throws {
        try tree.file(tree.inside("target"), "target".raw)
        symlink("target", tree.inside("link"))
        let server = try NinePServer()
        try server.add(Share(name: "one", path: tree.inside("link"), ownership: .passthrough))
        let client = try Client(server, attach: "one")
        #expect(try client.read(client.open(""), at: 0, 10) == "target".raw)
    }

    @Test("read-only is what the server says, not the client")
    func readOnly() throws {
        let client = try client(readOnly: true)
        let file = try client.find("one")
        #expect(throws: Refused(EROFS)) { try client.open("one", 1) }
        #expect(throws: Refused(EROFS)) { try client.setattr(file, .size(0)) }
        #expect(throws: Refused(EROFS)) { try client.setattr(file, .mode(0o777)) }
        #expect(try client.read(client.open("one"), at: 0, 100) == "contents".raw)
    }

    @Test("it goes on after a snapshot, and is stale where it is gone")
    func snapshot() throws {
        let client = try client()
        let open = try client.open("one", 2)
        func server() throws -> NinePServer {
            let server = try NinePServer()
            try server.add(Share(name: "one", path: tree.inside("file"), ownership: .passthrough))
            return server
        }
        try client.move(to: server())
        #expect(try client.read(open, at: 0, 100) == "contents".raw)
        #expect(rename(tree.inside("beside"), tree.inside("file")) == 0)
        try client.move(to: server())
        #expect(throws: Refused(ESTALE)) { try client.read(open, at: 0, 100) }
    }
}
