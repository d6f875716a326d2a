import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

@Suite("Read-only shares")
struct ReadOnlyTests {
    private let tree = Tree()

    @Test("everything can be read, and every change is answered EROFS")
    func readOnly() throws {
        try tree.file(tree.inside("file"), "text".raw)
        mkdir(tree.inside("d"), 0o755)
        symlink("file", tree.inside("link"))
        #expect(setxattr(tree.inside("file"), "user.x", "1", 1, 0) == 0)
        let client = try Client(tree.server(readOnly: true))
        let refused = Refused(EROFS)
        let file = try client.find("file")
        let directory = try client.find("d")
        for flags in [1, 2, 0o1000, 0o2001] as [UInt32] {
            #expect(throws: refused) { try client.open("file", flags) }
        }
        #expect(throws: refused) { try client.create("new") }
        #expect(throws: refused) { try client.create("file") }
        #expect(throws: refused) { try client.create("file", flags: 0) }
        #expect(throws: refused) { try client.mkdir(Client.root, "new") }
        #expect(throws: refused) { try client.mknod(Client.root, "new", mode: 0o600) }
        #expect(throws: refused) { try client.symlink(Client.root, "new", to: "x") }
        #expect(throws: refused) { try client.link(Client.root, file, "new") }
        #expect(throws: refused) { try client.rename(file, directory, "new") }
        #expect(throws: refused) { try client.renameat(Client.root, "file", directory, "new") }
        #expect(throws: refused) { try client.unlinkat(Client.root, "file") }
        #expect(throws: refused) { try client.unlinkat(Client.root, "d", flags: 0x200) }
        #expect(throws: refused) { try client.remove(client.find("file")) }
        for change in [Change.mode(0), .owner(1, 1), .size(0), .times(FileTime(seconds: 1, nanoseconds: 0),
                                                                      FileTime(seconds: 1, nanoseconds: 0)),
                       Change(valid: 0x40), Change(valid: 0)] {
            #expect(throws: refused) { try client.setattr(file, change) }
        }
        #expect(throws: refused) { try client.setXattr(file, "user.x", [2]) }
        #expect(throws: refused) { try client.setXattr(file, "user.x", [], flags: 2) }

        #expect(try client.xattr(file, "user.x") == "1".raw)
        #expect(try client.readlink(client.find("link")) == "file".raw)
        #expect(try client.list().count == 3)
        let open = try client.open("file")
        #expect(try client.read(open, at: 0, 10) == "text".raw)
        #expect(throws: Refused(EBADF)) { try client.write(open, at: 0, [1]) }
        #expect(throws: Refused(EBADF)) { try client.lock(open, 1) }
        #expect(try client.lock(open, 0) == 0)
        #expect(tree.contents(tree.inside("file")) == "text".raw)
    }
}
