import ConformanceC
import Glibc

func addDirectoryCases(_ suite: inout Suite) {
    suite.check("mkdir makes an empty directory") {
        makeDirectory("dir")
        same("type", kind(status("dir")), S_IFDIR)
        same("entries", entries("dir").map(\.text).sorted(), [".", ".."])
    }
    for mode: UInt32 in [0o777, 0o755, 0o700, 0o500, 0o1777] {
        suite.check("mkdir gives the mode \(String(mode, radix: 8)) less the umask") {
            umask(0o027)
            makeDirectory("dir", mode)
            same("mode", permissions(status("dir")), mode & ~0o027)
        }
    }
    suite.check("mkdir refuses a name that is there") {
        create("f")
        makeDirectory("d")
        ok("symlink", symlink("nowhere", "s"))
        for name in ["f", "d", "s", "."] { refused(EEXIST, by: "mkdir", mkdir(name, 0o755)) }
    }
    suite.check("mkdir in a missing directory, or below a file, is refused") {
        create("f")
        refused(ENOENT, by: "mkdir", mkdir("no/dir", 0o755))
        refused(ENOTDIR, by: "mkdir", mkdir("f/dir", 0o755))
        refused(ENOENT, by: "mkdir", mkdir("", 0o755))
    }
    suite.check("mkdir takes a slash behind the name") {
        ok("mkdir", mkdir("dir/", 0o755))
        same("entries", names(), ["dir"])
    }
    suite.check("a directory counts its subdirectories, or has one link") {
        makeDirectory("dir")
        let empty = status("dir").st_nlink
        if empty != 2 { notApplicable("directories do not count their subdirectories") }
        for number in 1...5 {
            makeDirectory("dir/\(number)")
            same("links", Int(status("dir").st_nlink), number + 2)
        }
        ok("rmdir", rmdir("dir/1"))
        same("links", status("dir").st_nlink, 6)
    }
    suite.check("rmdir removes an empty directory") {
        makeDirectory("dir")
        ok("rmdir", rmdir("dir"))
        isMissing("dir")
        same("entries", names(), [])
    }
    suite.check("rmdir refuses a directory with a file, a directory or a dead link in it") {
        for (name, make) in [("a", { create("a/x") }), ("b", { makeDirectory("b/x") }),
                             ("c", { ok("symlink", symlink("nowhere", "c/x")) })] as [(String, () -> Void)] {
            makeDirectory(name)
            make()
            refused(ENOTEMPTY, EEXIST, by: "rmdir", rmdir(name))
            same("entries", names(name), ["x"])
        }
    }
    suite.check("rmdir refuses what is no directory") {
        create("f")
        makeDirectory("d")
        ok("symlink", symlink("d", "s"))
        refused(ENOTDIR, by: "rmdir of a file", rmdir("f"))
        refused(ENOTDIR, by: "rmdir of a link", rmdir("s"))
        refused(ENOENT, by: "rmdir of nothing", rmdir("no"))
    }
    suite.check("rmdir refuses '.' and '..'") {
        makeDirectory("a")
        makeDirectory("a/b")
        refused(EINVAL, by: "rmdir .", rmdir("a/b/."))
        refused(ENOTEMPTY, EEXIST, EINVAL, EBUSY, by: "rmdir ..", rmdir("a/b/.."))
        same("entries", names("a"), ["b"])
    }
    suite.check("unlinkat with AT_REMOVEDIR is rmdir") {
        makeDirectory("d")
        create("f")
        let here = openFile(".", O_RDONLY)
        refused(ENOTDIR, by: "unlinkat", unlinkat(here, "f", AT_REMOVEDIR))
        refused(EISDIR, EPERM, by: "unlinkat", unlinkat(here, "d", 0))
        ok("unlinkat", unlinkat(here, "d", AT_REMOVEDIR))
        ok("unlinkat", unlinkat(here, "f", 0))
        same("entries", names(), [])
    }
    suite.check("a new directory takes the group of a set-group-ID parent, and the bit") {
        if geteuid() != 0 { notApplicable("needs root") }
        makeDirectory("d")
        ok("chown", chown("d", 0, 1234))
        ok("chmod", chmod("d", 0o2755))
        makeDirectory("d/sub")
        create("d/file")
        same("group of the directory", status("d/sub").st_gid, 1234)
        same("set-group-ID of the directory", status("d/sub").st_mode & S_ISGID, S_ISGID)
        same("group of the file", status("d/file").st_gid, 1234)
        same("set-group-ID of the file", status("d/file").st_mode & S_ISGID, 0)
    }
    suite.check("changes in a directory change its times") {
        makeDirectory("d")
        let steps: [(String, () -> Void)] = [
            ("create", { create("d/f") }), ("link", { ok("link", link("d/f", "d/g")) }),
            ("rename", { ok("rename", rename("d/g", "d/h")) }), ("unlink", { remove("d/h") }),
            ("mkdir", { makeDirectory("d/sub") }), ("rmdir", { ok("rmdir", rmdir("d/sub")) }),
            ("symlink", { ok("symlink", symlink("x", "d/s")) }),
        ]
        for (name, step) in steps {
            let before = status("d").modified
            waitForTick(after: before)
            step()
            holds("the modification time is later after \(name)", status("d").modified > before)
            holds("the status time is later after \(name)", status("d").changed > before)
        }
    }
    suite.check("a change of a file's contents leaves its directory's times") {
        makeDirectory("d")
        create("d/f", "data")
        let before = status("d").modified
        waitForTick(after: before)
        let file = openFile("d/f", O_WRONLY)
        writeText(file, "x")
        ok("chmod", chmod("d/f", 0o600))
        same("modification time", status("d").modified, before)
    }
    suite.check("a directory made again is another one, and empty") {
        for _ in 0..<10 {
            makeDirectory("d")
            create("d/f")
            remove("d/f")
            same("entries", names("d"), [])
            ok("rmdir", rmdir("d"))
        }
    }
    suite.check("chdir and getcwd agree") {
        makeDirectory("dir")
        ok("chdir", chdir("dir"))
        var buffer = [CChar](repeating: 0, count: 8192)
        guard let name = getcwd(&buffer, buffer.count) else { fail("getcwd: \(errorName(fc_errno()))") }
        holds("the name ends in /case/dir", String(cString: name).hasSuffix("/case/dir"))
        ok("chdir", chdir(".."))
        same("entries", names(), ["dir"])
    }
    suite.check("'..' of nested directories leads back") {
        makeDirectory("a")
        makeDirectory("a/b")
        makeDirectory("a/b/c")
        var found = stat()
        ok("stat", stat("a/b/c/../../..", &found))
        same("inode", found.st_ino, status(".").st_ino)
        create("a/b/c/../../f", "x")
        same("entries", names("a"), ["b", "f"])
    }
}
