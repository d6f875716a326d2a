import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

@Suite("Set-user-ID")
struct SetIDTests {
    private let tree = Tree()

    @Test("a write by a user takes set-user-ID and set-group-ID, one by root leaves them", arguments: [Ownership.passthrough, .mapped])
    func write(ownership: Ownership) throws {
        let server = try tree.server(ownership)
        let root = try Client(server)
        let fid = try root.create("file", mode: 0o777)
        func mode() throws -> UInt32 { try root.getattr(root.find("file")).mode & 0o7777 }
        try root.setattr(fid, .mode(0o6777))
        _ = try root.write(fid, at: 0, [1])
        #expect(try mode() == 0o6777)
        let user = try Client(server, user: 1000)
        let opened = try user.open("file", 1)
        #expect(try mode() == 0o6777)
        _ = try user.write(opened, at: 0, [2])
        #expect(try mode() == 0o777)
        // Without execute permission for the group, set-group-ID says something else.
        try root.setattr(fid, .mode(0o2666))
        _ = try user.write(opened, at: 0, [3])
        #expect(try mode() == 0o2666)
    }
}

@Suite("Mapped ownership")
struct MappedOwnershipTests {
    private let tree = Tree()

    @Test("owner, group and mode are the client's; on the host files are the server's, 0600 and 0700")
    func files() throws {
        let client = try Client(tree.server(.mapped), user: 1000)
        let fid = try client.create("file", mode: 0o4755)
        try client.mkdir(Client.root, "d", mode: 0o1777, group: 50)
        for each in [fid, try client.find("file")] {
            let attributes = try client.getattr(each)
            #expect(attributes.mode == S_IFREG | 0o4755 && attributes.user == 1000 && attributes.group == 0)
        }
        let directory = try client.getattr(client.find("d"))
        #expect(directory.mode == S_IFDIR | 0o1777 && directory.user == 1000 && directory.group == 50)
        #expect(try tree.status(tree.inside("file")).st_mode == S_IFREG | 0o600)
        #expect(try tree.status(tree.inside("d")).st_mode == S_IFDIR | 0o700)
        #expect(try tree.status(tree.inside("file")).st_uid == getuid())
        try client.setattr(fid, .owner(7, 8))
        try client.setattr(fid, .mode(0o640))
        let attributes = try client.getattr(fid)
        #expect(attributes.mode == S_IFREG | 0o640 && attributes.user == 7 && attributes.group == 8)
        #expect(try tree.status(tree.inside("file")).st_mode == S_IFREG | 0o600)
        // What it was stays for the next server.
        #expect(try Client(tree.server(.mapped)).getattr(0).mode == client.getattr(0).mode)
        let again = try Client(tree.server(.mapped))
        #expect(try again.getattr(again.find("file")).user == 7)
    }

    @Test("the host's own files are as they are until they are changed")
    func hostFiles() throws {
        try tree.file(tree.inside("file"))
        let client = try Client(tree.server(.mapped))
        let fid = try client.find("file")
        let status = try tree.status(tree.inside("file"))
        #expect(try client.getattr(fid).mode == status.st_mode)
        try client.setattr(fid, Change(valid: 2, user: 5))
        #expect(try client.getattr(fid).mode == status.st_mode && client.getattr(fid).user == 5)
        // Values that are none do no harm.
        for value in [[], [1], [UInt8](repeating: 255, count: 20), [UInt8](repeating: 0, count: 21)] as [[UInt8]] {
            #expect(setxattr(tree.inside("file"), "user.svmm.status", value, value.count, 0) == 0)
            #expect(try client.getattr(fid).qid.type != 0x80)
        }
    }

    @Test("links and nodes are regular files on the host")
    func types() throws {
        let client = try Client(tree.server(.mapped, specialFiles: .none), user: 3)
        try client.symlink(Client.root, "link", to: "/etc/passwd")
        try client.mknod(Client.root, "zero", mode: S_IFCHR | 0o666, major: 1, minor: 5)
        try client.mknod(Client.root, "fifo", mode: S_IFIFO | 0o600)
        try client.mknod(Client.root, "socket", mode: S_IFSOCK | 0o600)
        for name in ["link", "zero", "fifo", "socket"] {
            #expect(try tree.status(tree.inside(name)).st_mode == S_IFREG | 0o600)
        }
        let link = try client.find("link")
        #expect(try client.readlink(link) == "/etc/passwd".raw)
        let attributes = try client.getattr(link)
        #expect(attributes.mode == S_IFLNK | 0o777 && attributes.qid.type == 2 && attributes.user == 3)
        #expect(attributes.size == 11)
        let zero = try client.getattr(client.find("zero"))
        #expect(zero.mode == S_IFCHR | 0o666 && zero.device == 0x105)
        #expect(throws: Refused(ELOOP)) { try client.open("link") }
        for name in ["zero", "fifo", "socket"] {
            #expect(throws: Refused(EACCES)) { try client.open(name) }
            #expect(throws: Refused(EINVAL)) { try client.setattr(client.find(name), .size(9)) }
            #expect(throws: Refused(EINVAL)) { try client.readlink(client.find(name)) }
        }
        #expect(throws: Refused(ENOTDIR)) { try client.create("x", in: link) }
        // A listing does not say what a regular file of the host stands for.
        #expect(try client.list().allSatisfy { $0.type == 0 })
        try client.unlinkat(Client.root, "link")
        try client.remove(client.find("zero"))
        // Links of the host are links here too.
        symlink("x", tree.inside("host"))
        #expect(try client.readlink(client.find("host")) == "x".raw)
    }

    @Test("extended attributes of every namespace are kept, and the host's are not shown")
    func attributes() throws {
        let client = try Client(tree.server(.mapped))
        let fid = try client.create("file")
        #expect(setxattr(tree.inside("file"), "security.host", "1", 1, 0) == 0)
        for name in ["user.a", "security.capability", "system.posix_acl_access", "trusted.overlay.opaque"] {
            try client.setXattr(fid, name, name.raw)
            #expect(try client.xattr(fid, name) == name.raw)
        }
        #expect(try client.xattrNames(fid)
            == ["user.a", "security.capability", "system.posix_acl_access", "trusted.overlay.opaque"])
        #expect(throws: Refused(ENODATA)) { try client.xattr(fid, "security.host") }
        #expect(throws: Refused(ENODATA)) { try client.setXattr(fid, "user.svmm.status", [0]) }
        #expect(throws: Refused(ENODATA)) { try client.setXattr(fid, "user.svmm.x.user.y", [0]) }
        try client.setXattr(fid, "security.capability", [], flags: 2)
        #expect(try !client.xattrNames(fid).contains("security.capability"))
    }
}

@Suite("Squashed ownership")
struct SquashedOwnershipTests {
    private let tree = Tree()

    @Test("every file belongs to who asks, or to whom it was said; changes of owner do nothing")
    func owners() throws {
        try tree.file(tree.inside("file"))
        let before = try tree.status(tree.inside("file"))
        let callers = try Client(tree.server(.squash(user: nil, group: nil)), user: 1234)
        let fid = try callers.find("file")
        #expect(try callers.getattr(fid).user == 1234 && callers.getattr(fid).group == 1234)
        let fixed = try Client(tree.server(.squash(user: 10, group: 20)), user: 1234)
        #expect(try fixed.getattr(fixed.find("file")).user == 10 && fixed.getattr(fixed.find("file")).group == 20)
        try callers.setattr(fid, .owner(5, 5))
        #expect(try callers.getattr(fid).user == 1234)
        #expect(try tree.status(tree.inside("file")).st_uid == before.st_uid)
        let nobody = try Client(tree.server(.squash(user: nil, group: nil)), user: ~0)
        #expect(try nobody.getattr(0).user == 0)
    }

    @Test("modes are the host's, without set-user-ID on files")
    func modes() throws {
        let client = try Client(tree.server(.squash(user: nil, group: nil)), user: 5)
        let fid = try client.create("file", mode: 0o6755)
        #expect(try tree.status(tree.inside("file")).st_mode == S_IFREG | 0o755)
        try client.setattr(fid, .mode(0o6711))
        #expect(try tree.status(tree.inside("file")).st_mode == S_IFREG | 0o711)
        try client.mknod(Client.root, "node", mode: S_IFREG | 0o4700)
        #expect(try tree.status(tree.inside("node")).st_mode == S_IFREG | 0o700)
        try client.mkdir(Client.root, "d", mode: 0o2775)
        #expect(try tree.status(tree.inside("d")).st_mode == S_IFDIR | 0o2775)
        #expect(try tree.status(tree.inside("file")).st_uid == getuid())
        #expect(throws: Refused(EOPNOTSUPP)) { try client.setXattr(fid, "system.posix_acl_access", [2, 0, 0, 0]) }
    }
}
