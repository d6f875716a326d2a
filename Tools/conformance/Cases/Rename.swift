import ConformanceC
import Glibc

private struct RenameRefusal {
    let name: String
    let from: String
    let to: String
    let codes: (Int32, Int32)
}

func addRenameCases(_ suite: inout Suite) {
    addRenameMoves(&suite)
    addRenameFlags(&suite)
    let refusals = [
        RenameRefusal(name: "of a missing file is refused", from: "missing", to: "new", codes: (ENOENT, ENOENT)),
        RenameRefusal(name: "into a missing directory is refused", from: "file", to: "no/new", codes: (ENOENT, ENOENT)),
        RenameRefusal(name: "of a file over a directory is refused", from: "file", to: "empty", codes: (EISDIR, EISDIR)),
        RenameRefusal(name: "of a directory over a file is refused", from: "empty", to: "file", codes: (ENOTDIR, ENOTDIR)),
        RenameRefusal(name: "over a directory that is not empty is refused", from: "empty", to: "full",
                      codes: (ENOTEMPTY, EEXIST)),
        RenameRefusal(name: "of a directory into itself is refused", from: "full", to: "full/new", codes: (EINVAL, EINVAL)),
        RenameRefusal(name: "of a directory below itself is refused", from: "full", to: "full/sub/new", codes: (EINVAL, EINVAL)),
        RenameRefusal(name: "of a directory over its parent is refused", from: "full/sub", to: "full",
                      codes: (ENOTEMPTY, EEXIST)),
        RenameRefusal(name: "of '.' is refused", from: "full/.", to: "new", codes: (EBUSY, EINVAL)),
        RenameRefusal(name: "of '..' is refused", from: "full/sub/..", to: "new", codes: (EBUSY, EINVAL)),
        RenameRefusal(name: "to '.' is refused", from: "empty", to: "full/.", codes: (EBUSY, EINVAL)),
        RenameRefusal(name: "below a file is refused", from: "empty", to: "file/new", codes: (ENOTDIR, ENOTDIR)),
        RenameRefusal(name: "from below a file is refused", from: "file/x", to: "new", codes: (ENOTDIR, ENOTDIR)),
        RenameRefusal(name: "of a file to a name with a slash behind it is refused", from: "file", to: "new/",
                      codes: (ENOTDIR, ENOTDIR)),
        RenameRefusal(name: "to an empty name is refused", from: "file", to: "", codes: (ENOENT, ENOENT)),
        RenameRefusal(name: "of an empty name is refused", from: "", to: "new", codes: (ENOENT, ENOENT)),
    ]
    for refusal in refusals {
        suite.check(refusal.name) {
            create("file", "contents")
            makeDirectory("empty")
            makeDirectory("full")
            makeDirectory("full/sub")
            create("full/f", "x")
            refused(refusal.codes.0, refusal.codes.1, by: "rename", rename(refusal.from, refusal.to))
            sameContents("file", "contents")
            same("entries", names(), ["empty", "file", "full"])
            same("entries of the directory", names("full"), ["f", "sub"])
        }
    }
}

private func addRenameMoves(_ suite: inout Suite) {
    suite.check("gives a file another name") {
        create("f", "data")
        let inode = status("f").st_ino
        ok("rename", rename("f", "g"))
        isMissing("f")
        sameContents("g", "data")
        same("inode", status("g").st_ino, inode)
        same("entries", names(), ["g"])
    }
    suite.check("moves a file to another directory and back") {
        makeDirectory("dir")
        create("f", "data")
        ok("rename", rename("f", "dir/g"))
        sameContents("dir/g", "data")
        ok("rename", rename("dir/g", "f"))
        sameContents("f", "data")
        same("entries", names("dir"), [])
    }
    suite.check("replaces a file") {
        create("f", "new")
        create("g", "old")
        ok("rename", rename("f", "g"))
        sameContents("g", "new")
        isMissing("f")
    }
    suite.check("replaces a file that another descriptor has open, which keeps it") {
        create("f", "new")
        create("g", "old")
        let file = openFile("g", O_RDONLY)
        ok("rename", rename("f", "g"))
        sameBytes("contents", read(file, at: 0, limit: 9), Array("old".utf8))
        sameContents("g", "new")
    }
    suite.check("of an open file leaves its descriptors as they are") {
        create("f", "data")
        let file = openFile("f", O_RDWR)
        ok("rename", rename("f", "g"))
        writeAll(file, Array("more".utf8), at: 4)
        sameContents("g", "datamore")
        same("size", status(file).st_size, 8)
        ok("fchmod", fchmod(file, 0o600))
        same("mode", permissions(status("g")), 0o600)
        ok("ftruncate", ftruncate(file, 2))
        sameContents("g", "da")
    }
    suite.check("onto itself changes nothing") {
        create("f", "data")
        ok("rename", rename("f", "f"))
        ok("rename", rename("f", "./f"))
        sameContents("f", "data")
    }
    suite.check("of a directory onto itself changes nothing") {
        makeDirectory("dir")
        create("dir/f", "data")
        ok("rename", rename("dir", "dir"))
        sameContents("dir/f", "data")
    }
    suite.check("onto a hard link of the same file leaves both") {
        create("f", "data")
        ok("link", link("f", "g"))
        ok("rename", rename("f", "g"))
        same("entries", names(), ["f", "g"])
        same("links", status("f").st_nlink, 2)
    }
    suite.check("over one of two links takes one link") {
        create("f", "data")
        ok("link", link("f", "g"))
        create("h", "new")
        ok("rename", rename("h", "g"))
        same("links", status("f").st_nlink, 1)
        sameContents("f", "data")
    }
    suite.check("moves a directory with what is in it") {
        makeDirectory("a")
        makeDirectory("a/b")
        create("a/b/f", "data")
        makeDirectory("c")
        ok("rename", rename("a/b", "c/d"))
        sameContents("c/d/f", "data")
        same("entries", names("a"), [])
        var parent = stat()
        ok("stat of c/d/..", stat("c/d/..", &parent))
        same("inode of ..", parent.st_ino, status("c").st_ino)
    }
    suite.check("of a directory changes the link counts of both parents, where directories count") {
        makeDirectory("a")
        makeDirectory("b")
        makeDirectory("a/sub")
        if status("a").st_nlink != 3 { notApplicable("directories do not count their subdirectories") }
        ok("rename", rename("a/sub", "b/sub"))
        same("links of the old parent", status("a").st_nlink, 2)
        same("links of the new parent", status("b").st_nlink, 3)
    }
    suite.check("replaces an empty directory") {
        makeDirectory("a")
        create("a/f", "data")
        makeDirectory("b")
        ok("rename", rename("a", "b"))
        sameContents("b/f", "data")
        isMissing("a")
    }
    suite.check("of a directory that is the working directory of a process leaves it there") {
        makeDirectory("a")
        create("a/f", "data")
        ok("chdir", chdir("a"))
        ok("rename", rename("../a", "../b"))
        sameContents("f", "data")
        create("g", "new")
        sameContents("../b/g", "new")
    }
    suite.check("of an open directory leaves its descriptor there") {
        makeDirectory("a")
        let directory = openFile("a", O_RDONLY | O_DIRECTORY)
        ok("rename", rename("a", "b"))
        close(ok("openat", fc_openat(directory, "f", O_WRONLY | O_CREAT, 0o644)))
        same("entries", names("b"), ["f"])
    }
    suite.check("of a parent leaves open files below it") {
        makeDirectory("a")
        makeDirectory("a/b")
        create("a/b/f", "data")
        let file = openFile("a/b/f", O_RDWR)
        ok("rename", rename("a", "c"))
        writeAll(file, Array("DATA".utf8), at: 0)
        sameContents("c/b/f", "DATA")
        remove("c/b/f")
        same("links", status(file).st_nlink, 0)
    }
    suite.check("of a symbolic link moves the link") {
        create("f", "data")
        ok("symlink", symlink("f", "link"))
        ok("rename", rename("link", "moved"))
        same("type", kind(status("moved")), S_IFLNK)
        sameContents("f", "data")
    }
    suite.check("over a symbolic link replaces the link") {
        create("f", "data")
        create("g", "other")
        ok("symlink", symlink("g", "link"))
        ok("rename", rename("f", "link"))
        same("type", kind(status("link")), S_IFREG)
        sameContents("g", "other")
    }
    suite.check("of a directory with a slash behind either name works") {
        makeDirectory("a")
        ok("rename", rename("a/", "b/"))
        same("entries", names(), ["b"])
    }
    suite.check("to a name of 255 bytes works, to one of 256 is refused") {
        create("f", "data")
        let longest = String(repeating: "n", count: 255)
        ok("rename", rename("f", longest))
        refused(ENAMETOOLONG, by: "rename", rename(longest, longest + "n"))
        sameContents(longest, "data")
    }
    suite.check("is seen by name at once, and again after a file takes the old name") {
        create("f", "1")
        for round in 0..<10 {
            ok("rename", rename("f", "g"))
            isMissing("f")
            create("f", "round \(round)")
            sameContents("f", "round \(round)")
        }
    }
    suite.check("lets a reader find the old or the new file, never none") {
        create("f", "old")
        let child = Child {
            for _ in 0..<100 {
                create("new", "new")
                ok("rename", rename("new", "f"))
            }
        }
        for _ in 0..<100 {
            let file = fc_open("f", O_RDONLY, 0)
            // A client that knows the name may meet its replacement between two steps.
            if file < 0, fc_errno() != ESTALE { fail("open: expected success, found \(errorName(fc_errno()))") }
            close(file)
        }
        child.finish()
    }
    suite.check("changes the status time of a file or leaves it, and not its modification time") {
        create("f", "data")
        let before = status("f")
        waitForTick(after: before.changed)
        ok("rename", rename("f", "g"))
        same("modification time", status("g").modified, before.modified)
        holds("the status time does not go back", status("g").changed >= before.changed)
    }
    suite.check("by renameat goes from directory to directory") {
        makeDirectory("a")
        makeDirectory("b")
        create("a/f", "data")
        let from = openFile("a", O_RDONLY), to = openFile("b", O_RDONLY)
        ok("renameat", renameat(from, "f", to, "g"))
        sameContents("b/g", "data")
    }
    for kindName in ["a FIFO", "a socket"] {
        suite.check("moves \(kindName)") {
            let type: mode_t = kindName == "a FIFO" ? S_IFIFO : S_IFSOCK
            supported("mknod", unless: EPERM, result: mknod("f", type | 0o600, 0))
            ok("rename", rename("f", "g"))
            same("type", kind(status("g")), type)
        }
    }
}

private func addRenameFlags(_ suite: inout Suite) {
    suite.check("with RENAME_NOREPLACE refuses a name that is there, or is not known") {
        create("f", "1")
        create("g", "2")
        refused(EEXIST, EINVAL, by: "renameat2", fc_renameat2(AT_FDCWD, "f", AT_FDCWD, "g", 1))
        sameContents("g", "2")
        sameContents("f", "1")
    }
    suite.check("with RENAME_NOREPLACE takes a free name, or is not known") {
        create("f", "1")
        supported("renameat2", unless: EINVAL, result: fc_renameat2(AT_FDCWD, "f", AT_FDCWD, "g", 1))
        sameContents("g", "1")
        isMissing("f")
    }
    suite.check("with RENAME_EXCHANGE exchanges, or is not known") {
        create("f", "1")
        makeDirectory("g")
        supported("renameat2", unless: EINVAL, result: fc_renameat2(AT_FDCWD, "f", AT_FDCWD, "g", 2))
        sameContents("g", "1")
        same("type", kind(status("f")), S_IFDIR)
    }
    suite.check("with RENAME_EXCHANGE refuses a missing name, or is not known") {
        create("f", "1")
        refused(ENOENT, EINVAL, by: "renameat2", fc_renameat2(AT_FDCWD, "f", AT_FDCWD, "g", 2))
        sameContents("f", "1")
    }
    suite.check("with RENAME_EXCHANGE and RENAME_NOREPLACE is refused") {
        create("f", "1")
        create("g", "2")
        refused(EINVAL, by: "renameat2", fc_renameat2(AT_FDCWD, "f", AT_FDCWD, "g", 3))
    }
    suite.check("to another file system is refused") {
        create("f", "1")
        var here = stat(), there = stat()
        ok("stat", stat(".", &here))
        for place in ["/dev/shm", "/tmp", "/"] where stat(place, &there) == 0 && there.st_dev != here.st_dev {
            refused(EXDEV, by: "rename", rename("f", place + "/fs-conformance-moved"))
            return
        }
        notApplicable("no other file system")
    }
}
