import ConformanceC
import Glibc

/// A file of ten bytes that is open and has lost its only name.
private func unlinkedFile(_ flags: Int32 = O_RDWR) -> Int32 {
    create("f", "0123456789")
    let file = openFile("f", flags)
    remove("f")
    return file
}

func addUnlinkedCases(_ suite: inout Suite) {
    addUnlinkedDataCases(&suite)
    suite.check("its link count is 0") { same("links", status(unlinkedFile()).st_nlink, 0) }
    suite.check("its status is that of before, but for links") {
        create("f", "0123456789", mode: 0o640)
        let file = openFile("f", O_RDWR)
        let before = status(file)
        remove("f")
        let after = status(file)
        same("inode", after.st_ino, before.st_ino)
        same("size", after.st_size, before.st_size)
        same("mode", after.st_mode, before.st_mode)
        same("modification time", after.modified, before.modified)
    }
    suite.check("fchmod changes its mode") {
        let file = unlinkedFile()
        ok("fchmod", fchmod(file, 0o600))
        same("mode", permissions(status(file)), 0o600)
    }
    suite.checkAsRoot("fchown changes its owner") {
        let file = unlinkedFile()
        ok("fchown", fchown(file, 1000, 1001))
        same("user", status(file).st_uid, 1000)
        same("group", status(file).st_gid, 1001)
    }
    suite.check("futimens changes its times") {
        let file = unlinkedFile()
        let times = [timespec(tv_sec: 1000, tv_nsec: 1), timespec(tv_sec: 2000, tv_nsec: 2)]
        ok("futimens", futimens(file, times))
        same("modification time", status(file).modified, Time(2000, 2))
        same("access time", status(file).accessed, Time(1000, 1))
    }
    suite.check("it can be locked") {
        let file = unlinkedFile()
        var lock = wholeFile(F_WRLCK)
        ok("F_SETLK", fc_fcntl_lock(file, F_SETLK, &lock))
        ok("flock", flock(ok("dup", dup(file)), LOCK_UN))
    }
    suite.check("fsync works") {
        let file = unlinkedFile()
        writeText(file, "x")
        ok("fsync", fsync(file))
        ok("fdatasync", fdatasync(file))
    }
    suite.check("its extended attributes can be used, or there are none") {
        let file = unlinkedFile()
        supported("fsetxattr", unless: EOPNOTSUPP, result: fsetxattr(file, "user.a", "1", 1, 0))
        var byte: UInt8 = 0
        same("size of the value", ok("fgetxattr", fgetxattr(file, "user.a", &byte, 1)), 1)
    }
    suite.check("a new file of the same name is another file") {
        let file = unlinkedFile()
        create("f", "new")
        holds("the inodes differ", status(file).st_ino != status("f").st_ino)
        sameBytes("old contents", read(file, at: 0, limit: 100), Array("0123456789".utf8))
        sameContents("f", "new")
        writeAll(file, Array("xx".utf8), at: 0)
        sameContents("f", "new")
    }
    suite.check("a file that a rename replaced lives on for who has it open") {
        create("f", "old")
        create("g", "new")
        let file = openFile("f", O_RDWR)
        ok("rename", rename("g", "f"))
        sameBytes("contents", read(file, at: 0, limit: 10), Array("old".utf8))
        same("links", status(file).st_nlink, 0)
        ok("ftruncate", ftruncate(file, 1))
        sameContents("f", "new")
    }
    suite.check("another name keeps the file") {
        create("f", "data")
        ok("link", link("f", "g"))
        let file = openFile("f", O_RDONLY)
        remove("f")
        same("links", status(file).st_nlink, 1)
        sameContents("g", "data")
        remove("g")
        same("links", status(file).st_nlink, 0)
    }
    suite.check("a file unlinked by another process lives on") {
        create("f", "data")
        let file = openFile("f", O_RDWR)
        Child { remove("f") }.finish()
        sameBytes("contents", read(file, at: 0, limit: 10), Array("data".utf8))
        writeAll(file, Array("more".utf8), at: 4)
        same("size", status(file).st_size, 8)
    }
    suite.check("a hundred of them keep their contents apart") {
        let files = (0..<100).map { number in
            let file = openFile("f", O_RDWR | O_CREAT | O_EXCL)
            writeText(file, "file \(number)")
            remove("f")
            return file
        }
        for (number, file) in files.enumerated() {
            sameBytes("contents", read(file, at: 0, limit: 100), Array("file \(number)".utf8))
        }
    }
    suite.check("its directory can be removed while it is open") {
        makeDirectory("dir")
        create("dir/f", "data")
        let file = openFile("dir/f", O_RDWR)
        remove("dir/f")
        ok("rmdir", rmdir("dir"))
        sameBytes("contents", read(file, at: 0, limit: 10), Array("data".utf8))
        writeText(file, "x")
    }
    suite.check("a directory that is removed while it is open lists nothing, and takes no new names") {
        makeDirectory("dir")
        let directory = openFile("dir", O_RDONLY | O_DIRECTORY)
        ok("rmdir", rmdir("dir"))
        refused(ENOENT, by: "openat", fc_openat(directory, "x", O_WRONLY | O_CREAT, 0o644))
        guard let stream = fdopendir(directory) else { fail("fdopendir: \(errorName(fc_errno()))") }
        errno = 0
        let entry = readdir(stream)
        holds("readdir finds nothing, or the two dots", entry == nil || fc_entry_name(entry!)[0] == 46)
    }
    suite.check("the working directory can be removed") {
        makeDirectory("dir")
        ok("chdir", chdir("dir"))
        ok("rmdir", rmdir("../dir"))
        refused(ENOENT, by: "open", fc_open("f", O_WRONLY | O_CREAT, 0o644))
        var buffer = [CChar](repeating: 0, count: 4096)
        refused(ENOENT, by: "getcwd", getcwd(&buffer, buffer.count) == nil ? -1 : 0)
    }
    suite.check("its name below /proc/self/fd still opens it") {
        let file = unlinkedFile()
        if access("/proc/self/fd", F_OK) != 0 { notApplicable("no /proc") }
        let again = openFile("/proc/self/fd/\(file)", O_RDONLY)
        sameBytes("contents", read(again, at: 0, limit: 100), Array("0123456789".utf8))
    }
}

private func addUnlinkedDataCases(_ suite: inout Suite) {
    suite.check("reads give its data") {
        sameBytes("contents", read(unlinkedFile(O_RDONLY), at: 0, limit: 100), Array("0123456789".utf8))
    }
    suite.check("writes change it") {
        let file = unlinkedFile()
        writeAll(file, Array("abc".utf8), at: 9)
        sameBytes("contents", read(file, at: 0, limit: 100), Array("012345678abc".utf8))
    }
    suite.check("a megabyte can be written and read") {
        let file = unlinkedFile()
        let bytes = pattern(1 << 20)
        writeAll(file, bytes, at: 0)
        sameBytes("contents", read(file, at: 0, limit: 1 << 21), bytes)
    }
    suite.check("ftruncate shrinks it") {
        let file = unlinkedFile()
        ok("ftruncate", ftruncate(file, 3))
        same("size", status(file).st_size, 3)
        sameBytes("contents", read(file, at: 0, limit: 100), Array("012".utf8))
    }
    suite.check("ftruncate extends it") {
        let file = unlinkedFile()
        ok("ftruncate", ftruncate(file, 12))
        sameBytes("contents", read(file, at: 0, limit: 100), Array("0123456789".utf8) + [0, 0])
    }
    suite.check("O_APPEND finds its end") {
        let file = unlinkedFile(O_RDWR | O_APPEND)
        writeText(file, "a")
        writeText(file, "b")
        sameBytes("contents", read(file, at: 0, limit: 100), Array("0123456789ab".utf8))
    }
    suite.check("lseek finds its end") { same("end", lseek(unlinkedFile(), 0, SEEK_END), 10) }
    suite.check("two descriptors see each other's changes") {
        create("f", "0123456789")
        let first = openFile("f", O_RDWR), second = openFile("f", O_RDWR)
        remove("f")
        writeAll(first, Array("x".utf8), at: 0)
        sameBytes("contents", read(second, at: 0, limit: 2), Array("x1".utf8))
        ok("ftruncate", ftruncate(second, 1))
        same("size", status(first).st_size, 1)
    }
    suite.check("a private mapping reads it") {
        let file = unlinkedFile()
        guard let start = fc_map(4096, PROT_READ, MAP_PRIVATE, file, 0) else { fail("mmap: \(errorName(fc_errno()))") }
        same("byte", start.load(fromByteOffset: 3, as: UInt8.self), 0x33)
    }
    suite.check("a shared mapping changes it") {
        let file = unlinkedFile()
        let start = sharedMapping(file, 4096)
        start.storeBytes(of: 0x78, toByteOffset: 1, as: UInt8.self)
        ok("msync", msync(start, 4096, MS_SYNC))
        sameBytes("contents", read(file, at: 0, limit: 3), Array("0x2".utf8))
    }
    suite.check("a mapping outlives the name and the descriptor") {
        create("f", "0123456789")
        let file = openFile("f", O_RDONLY)
        guard let start = fc_map(4096, PROT_READ, MAP_PRIVATE, file, 0) else { fail("mmap: \(errorName(fc_errno()))") }
        remove("f")
        ok("close", close(file))
        same("byte", start.load(fromByteOffset: 3, as: UInt8.self), 0x33)
    }
}
