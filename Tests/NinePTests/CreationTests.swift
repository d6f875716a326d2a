import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

/// What Tlcreate leaves on the host, and what its fid is good for.
@Suite("New files")
struct CreationTests {
    private let tree = Tree()
    private static let modes: [UInt32] = [0, 0o600, 0o644, 0o666, 0o777, 0o4755, 0o2711, 0o1777]

    @Test("has the mode that was asked for, whatever the server's umask is", arguments: modes)
    func mode(_ mode: UInt32) throws {
        let client = try Client(tree.server(), user: geteuid())
        let fid = client.newFid()
        _ = try client.walk(Client.root, fid, [])
        let qid = try client.lcreate(fid, "file".raw, flags: 1, mode: mode, group: getegid())
        let status = try tree.status(tree.inside("file"))
        #expect(status.st_mode == S_IFREG | mode)
        #expect(status.st_uid == geteuid() && status.st_gid == getegid())
        // What the reply says is what the file is.
        #expect(try client.getattr(fid).qid == qid)
    }

    @Test("belongs to whom it was asked for, also in a directory that hands its group down",
          .enabled(if: geteuid() == 0, "gives files away: needs root"), arguments: modes)
    func owner(_ mode: UInt32) throws {
        let client = try Client(tree.server(), user: 1000)
        #expect(mkdir(tree.inside("d"), 0o755) == 0 && chown(tree.inside("d"), 0, 70) == 0)
        #expect(chmod(tree.inside("d"), 0o2777) == 0)
        for directory in ["", "d"] {
            let fid = client.newFid()
            _ = try client.walk(Client.root, fid, directory.isEmpty ? [] : [directory.raw])
            try client.lcreate(fid, "file".raw, mode: mode, group: 50)
            let status = try tree.status(tree.inside(directory + "/file"))
            #expect(status.st_mode == S_IFREG | mode && status.st_uid == 1000 && status.st_gid == 50)
        }
    }

    @Test("can be found again from the fid that made it, in other modes, and after it has been closed")
    func shared() throws {
        let server = try tree.server()
        let client = try Client(server)
        let before = server.descriptorsInUse
        let fid = try client.create("file", flags: 1)
        _ = try client.write(fid, at: 0, [1, 2, 3])
        let other = client.newFid()
        _ = try client.walk(fid, other, [])
        #expect(throws: Refused(EBADF)) { try client.read(fid, at: 0, 3) }
        try client.clunk(fid)
        try client.unlinkat(Client.root, "file")
        try client.lopen(other, 0)
        #expect(try client.read(other, at: 0, 9) == [1, 2, 3])
        #expect(throws: Refused(EBADF)) { try client.write(other, at: 0, [4]) }
        try client.clunk(other)
        #expect(server.descriptorsInUse == before)
    }
}
