import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

@Suite("Attributes of files")
struct AttributeTests {
    private let tree = Tree()

    @Test("getattr says what stat says")
    func getattr() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"), [UInt8](repeating: 1, count: 5000))
        let fid = try client.find("file")
        let attributes = try client.getattr(fid)
        let status = try tree.status(tree.inside("file"))
        #expect(attributes.valid == 0xFFF)
        #expect(attributes.mode == status.st_mode && attributes.user == status.st_uid)
        #expect(attributes.group == status.st_gid)
        #expect(attributes.size == 5000 && attributes.links == 1 && attributes.blocks == UInt64(status.st_blocks))
        #expect(attributes.modified == FileTime(seconds: Int64(status.st_mtim.tv_sec),
                                                nanoseconds: UInt32(status.st_mtim.tv_nsec)))
        #expect(attributes.qid.path == UInt64(status.st_ino) && attributes.qid.type == 0 && attributes.qid.version != 0)
        #expect(try client.getattr(fid, mask: 0x7FF).valid == 0x7FF)
        #expect(try client.getattr(Client.root).qid.type == 0x80)
    }

    @Test("times are set to the nanosecond, also before 1970, or to the host's clock")
    func times() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"))
        let fid = try client.find("file")
        let accessed = FileTime(seconds: 1, nanoseconds: 999_999_999)
        let modified = FileTime(seconds: -5, nanoseconds: 1)
        try client.setattr(fid, .times(accessed, modified))
        var attributes = try client.getattr(fid)
        #expect(attributes.accessed == accessed && attributes.modified == modified)
        // One alone, to the clock.
        try client.setattr(fid, Change(valid: 0x20, modified: FileTime(seconds: 9, nanoseconds: 9)))
        attributes = try client.getattr(fid)
        #expect(attributes.accessed == accessed && attributes.modified.seconds > 1_700_000_000)
        // 0x3FFFFFFF is utimensat(2)'s "now": no number of nanoseconds.
        let now = FileTime(seconds: 0, nanoseconds: 0x3FFF_FFFF)
        #expect(throws: Refused(EINVAL)) { try client.setattr(fid, .times(now, now)) }
        // Of a symbolic link itself.
        try client.symlink(Client.root, "link", to: "file")
        try client.setattr(client.find("link"), .times(modified, accessed))
        #expect(try client.getattr(client.find("link")).accessed == modified)
    }

    @Test("owner, mode and size change, in the order that keeps set-user-ID")
    func setattr() throws {
        let client = try Client(tree.server())
        let fid = try client.create("file")
        try client.write(fid, at: 0, "0123456789".raw)
        try client.setattr(fid, Change(valid: 0xF, mode: 0o4711, user: 12, group: 13, size: 4))
        let attributes = try client.getattr(fid)
        #expect(attributes.mode & 0o777 == 0o711 && attributes.user == 12 && attributes.group == 13)
        #expect(attributes.size == 4)
        try client.setattr(fid, .mode(0o4755))
        #expect(try client.getattr(fid).mode == S_IFREG | 0o4755)
        try client.setattr(fid, Change(valid: 2, user: 14))
        #expect(try client.getattr(fid).group == 13)
        #expect(throws: Refused(EISDIR)) { try client.setattr(Client.root, .size(0)) }
        #expect(throws: Refused(EINVAL)) { try client.setattr(fid, .size(1 << 63)) }
        let before = try client.getattr(fid).changed
        try client.setattr(fid, Change(valid: 0x40))
        let after = try client.getattr(fid).changed
        #expect(after.seconds > before.seconds || after.nanoseconds >= before.nanoseconds)
    }

    @Test("a file lives on without a name: it is read, written, cut and looked at")
    func unlinked() throws {
        let client = try Client(tree.server())
        let fid = try client.create("file")
        let path = try client.find("file")
        try client.write(fid, at: 0, "contents".raw)
        try client.unlinkat(Client.root, "file")
        #expect(try client.read(fid, at: 0, 100) == "contents".raw)
        for each in [fid, path] {
            try client.setattr(each, .size(4))
            #expect(try client.getattr(each).size == 4)
            try client.setattr(each, .size(6))
            try client.setattr(each, .mode(0o600))
            #expect(try client.getattr(each).links == 0)
        }
        try client.write(fid, at: 6, "more".raw)
        #expect(try client.read(fid, at: 0, 100) == "cont".raw + [0, 0] + "more".raw)
        try client.lopen(path)
        #expect(try client.read(path, at: 6, 4) == "more".raw)
        #expect(throws: Refused(ENOENT)) { try client.link(Client.root, fid, "again") }
    }

    @Test("a file that another is renamed over stays open as it was")
    func renamedOver() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("a"), "a".raw)
        try tree.file(tree.inside("b"), "b".raw)
        let b = try client.open("b")
        try client.renameat(Client.root, "a", Client.root, "b")
        #expect(try client.read(b, at: 0, 1) == "b".raw)
        #expect(try client.getattr(b).links == 0)
        #expect(try client.read(client.open("b"), at: 0, 1) == "a".raw)
    }

    @Test("a fid keeps its directory through renames, and after its removal")
    func movedDirectory() throws {
        let client = try Client(tree.server())
        try client.mkdir(Client.root, "a")
        let a = try client.find("a")
        try client.renameat(Client.root, "a", Client.root, "b")
        _ = try client.create("file", in: a)
        #expect(tree.contents(tree.inside("b/file")) == [])
        try client.unlinkat(a, "file")
        try client.unlinkat(Client.root, "b", flags: 0x200)
        #expect(throws: Refused(ENOENT)) { try client.create("file", in: a) }
        #expect(try client.getattr(a).mode & S_IFMT == S_IFDIR)
    }

    @Test("holes stay holes")
    func sparse() throws {
        let client = try Client(tree.server())
        let fid = try client.create("file")
        try client.write(fid, at: 1 << 40, [1])
        let attributes = try client.getattr(fid)
        #expect(attributes.size == (1 << 40) + 1 && attributes.blocks < 1000)
        #expect(try client.read(fid, at: 1 << 39, 5) == [0, 0, 0, 0, 0])
    }

    @Test("qids are stable; the version of a file is its contents'")
    func qids() throws {
        let client = try Client(tree.server())
        let fid = try client.create("file")
        let first = try client.getattr(fid).qid
        #expect(try client.walk(Client.root, client.newFid(), ["file".raw]) == [first])
        try client.setattr(fid, .mode(0o600))
        try client.renameat(Client.root, "file", Client.root, "other")
        #expect(try client.getattr(fid).qid == first)
        try client.write(fid, at: 0, "x".raw)
        let second = try client.getattr(fid).qid
        #expect(second.version != first.version && second.path == first.path)
        // A directory's never changes: nothing of it is cached.
        let root = try client.getattr(Client.root).qid
        try client.mkdir(Client.root, "d")
        #expect(try client.getattr(Client.root).qid == root)
        #expect(try Client(tree.server()).getattr(Client.root).qid == root)
    }
}

@Suite("Extended attributes")
struct ExtendedAttributeTests {
    private let tree = Tree()

    @Test("values are set, read, listed, replaced and removed")
    func values() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"))
        let fid = try client.find("file")
        #expect(throws: Refused(ENODATA)) { try client.xattr(fid, "user.one") }
        #expect(try client.xattrNames(fid).isEmpty)
        try client.setXattr(fid, "user.one", [1, 2, 3])
        try client.setXattr(fid, "security.two", [4])
        #expect(try client.xattr(fid, "user.one") == [1, 2, 3])
        #expect(try client.xattrNames(fid) == ["user.one", "security.two"])
        #expect(throws: Refused(EEXIST)) { try client.setXattr(fid, "user.one", [1], flags: 1) }
        #expect(throws: Refused(ENODATA)) { try client.setXattr(fid, "user.none", [1], flags: 2) }
        try client.setXattr(fid, "user.one", [], flags: 0)
        #expect(try client.xattr(fid, "user.one") == [])
        // How Linux removes one.
        try client.setXattr(fid, "user.one", [], flags: 2)
        #expect(try client.xattrNames(fid) == ["security.two"])
        #expect(throws: Refused(ENODATA)) { try client.setXattr(fid, "user.one", [], flags: 2) }
    }

    @Test("access control lists pass through")
    func accessControl() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"))
        let fid = try client.find("file")
        // Version 2; user::rw- user:1000:r-- group::r-- mask::r-- other::---
        var list: [UInt8] = [2, 0, 0, 0]
        for (tag, permissions, user) in [(1, 6, UInt32.max), (2, 4, 1000), (4, 4, UInt32.max), (16, 4, UInt32.max),
                                         (32, 0, UInt32.max)] {
            list += [UInt8(tag), 0, UInt8(permissions), 0]
            list += (0..<4).map { UInt8(truncatingIfNeeded: user >> (8 * UInt32($0))) }
        }
        try client.setXattr(fid, "system.posix_acl_access", list)
        #expect(try client.xattr(fid, "system.posix_acl_access") == list)
        #expect(try client.getattr(fid).mode & 0o777 == 0o640)
    }

    @Test("the value must be as long as announced, in order, and no larger than the host's limit")
    func drafts() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"))
        func draft(_ size: UInt64, flags: UInt32 = 0, name: String = "user.a") throws -> UInt32 {
            let fid = try client.find("file")
            _ = try client.send(Message(.xattrcreate).word(fid).string(name).long(size).word(flags))
            return fid
        }
        let fid = try draft(4)
        #expect(throws: Refused(EINVAL)) { try client.write(fid, at: 1, [1]) }
        #expect(try client.write(fid, at: 0, [1, 2]) == 2)
        #expect(throws: Refused(EINVAL)) { try client.write(fid, at: 2, [3, 4, 5]) }
        #expect(throws: Refused(EBADF)) { try client.read(fid, at: 0, 1) }
        #expect(throws: Refused(EINVAL)) { try client.clunk(fid) }
        #expect(throws: Refused(EBADF)) { try client.clunk(fid) }
        #expect(throws: Refused(E2BIG)) { try draft(65537) }
        #expect(throws: Refused(E2BIG)) { try draft(.max) }
        #expect(throws: Refused(EINVAL)) { try draft(1, flags: 3) }
        #expect(throws: Refused(ERANGE)) { try draft(1, name: "") }
        #expect(throws: Refused(ERANGE)) { try draft(1, name: "user." + String(repeating: "x", count: 251)) }
        #expect(throws: Refused(EINVAL)) { try draft(1, name: "user.\0") }
        #expect(throws: Refused(ENODATA)) { try client.xattr(client.find("file"), "user.a") }
    }

    @Test("links and nodes have none")
    func otherTypes() throws {
        let client = try Client(tree.server())
        try client.symlink(Client.root, "link", to: "x")
        try client.mknod(Client.root, "fifo", mode: S_IFIFO | 0o600)
        for name in ["link", "fifo"] {
            let fid = try client.find(name)
            #expect(throws: Refused(ENODATA)) { try client.xattr(fid, "security.x") }
            #expect(throws: Refused(EOPNOTSUPP)) { try client.setXattr(fid, "security.x", [1]) }
            #expect(try client.xattrNames(fid).isEmpty)
        }
    }

    @Test("the server's own names cannot be read or set")
    func reserved() throws {
        let client = try Client(tree.server())
        try tree.file(tree.inside("file"))
        #expect(setxattr(tree.inside("file"), "user.svmm.status", "x", 1, 0) == 0)
        let fid = try client.find("file")
        #expect(throws: Refused(ENODATA)) { try client.xattr(fid, "user.svmm.status") }
        #expect(throws: Refused(ENODATA)) { try client.setXattr(fid, "user.svmm.status", [1]) }
        #expect(try client.xattrNames(fid).isEmpty)
    }
}
