import ConformanceC
import Glibc

func addStatusCases(_ suite: inout Suite) {
    suite.check("a new file's fields are what they should be") {
        create("f", "0123456789", mode: 0o644)
        let found = status("f")
        same("type", kind(found), S_IFREG)
        same("mode", permissions(found), 0o644)
        same("links", found.st_nlink, 1)
        same("size", found.st_size, 10)
        same("user", found.st_uid, geteuid())
        holds("the block size is a power of two of 512 or more", found.st_blksize >= 512 && found.st_blksize.nonzeroBitCount == 1)
    }
    suite.check("stat, lstat, fstat and fstatat agree") {
        create("f", "data")
        let file = openFile("f", O_RDONLY)
        var first = stat(), second = stat()
        ok("stat", stat("f", &first))
        ok("fstatat", fstatat(AT_FDCWD, "f", &second, AT_SYMLINK_NOFOLLOW))
        for found in [first, second, status("f"), status(file)] {
            same("inode", found.st_ino, first.st_ino)
            same("device", found.st_dev, first.st_dev)
            same("mode", found.st_mode, first.st_mode)
            same("size", found.st_size, first.st_size)
            same("modification time", found.modified, first.modified)
            same("status time", found.changed, first.changed)
        }
    }
    suite.check("all entries are on one device") {
        create("f")
        makeDirectory("d")
        create("d/f")
        same("devices", Set([status("."), status("f"), status("d"), status("d/f")].map(\.st_dev)).count, 1)
    }
    suite.check("statx gives the basic fields") {
        create("f", "data")
        ok("link", link("f", "g"))
        var links: UInt32 = 0, inode: UInt64 = 0
        same("mask", ok("statx", fc_statx_links(AT_FDCWD, "f", 0, &links, &inode)), 0x7FF)
        same("links", links, 2)
        same("inode", inode, UInt64(status("f").st_ino))
    }
    suite.check("the size follows each write") {
        let file = openFile("f", O_WRONLY | O_CREAT)
        for number in 1...20 {
            writeAll(file, pattern(1000))
            same("size by descriptor", Int(status(file).st_size), number * 1000)
            same("size by name", Int(status("f").st_size), number * 1000)
        }
    }
    suite.check("blocks count what is stored") {
        create("f", pattern(1 << 20))
        let file = openFile("f", O_RDONLY)
        ok("fsync", fsync(file))
        let blocks = status(file).st_blocks
        holds("1 MiB is 2048 blocks of 512, and a little", (2048...4096).contains(blocks))
    }
    suite.check("an inode number is not another file's while the file is there") {
        var inodes: Set<UInt64> = []
        for number in 0..<100 {
            create("f\(number)")
            inodes.insert(UInt64(status("f\(number)").st_ino))
        }
        same("inodes", inodes.count, 100)
    }
    suite.check("status of a name below a file is refused") {
        create("f")
        var found = stat()
        refused(ENOTDIR, by: "stat", stat("f/x", &found))
        refused(ENOTDIR, by: "stat", stat("f/", &found))
        refused(ENOENT, by: "stat", stat("", &found))
    }
    suite.check("fstat of a directory's descriptor is the directory's") {
        makeDirectory("d")
        let file = openFile("d", O_RDONLY)
        same("inode", status(file).st_ino, status("d").st_ino)
        same("type", kind(status(file)), S_IFDIR)
    }
    suite.check("access finds what is there") {
        create("f", mode: 0o644)
        ok("F_OK", access("f", F_OK))
        ok("R_OK", access("f", R_OK))
        refused(ENOENT, by: "F_OK", access("no", F_OK))
        refused(EACCES, by: "X_OK", access("f", X_OK))
        ok("X_OK of a directory", access(".", X_OK))
    }
    suite.check("a change by one process is seen by another") {
        create("f", "x")
        let gate = Gate()
        let child = Child {
            gate.wait()
            same("size", status("f").st_size, 5)
            same("mode", permissions(status("f")), 0o600)
        }
        create("f", "12345")
        ok("chmod", chmod("f", 0o600))
        gate.open()
        child.finish()
    }
}

func addSpaceCases(_ suite: inout Suite) {
    suite.check("statfs tells sizes that make sense") {
        var found = statfs()
        ok("statfs", statfs(".", &found))
        holds("the block size is above 0", found.f_bsize > 0)
        holds("free blocks are no more than all", found.f_bfree <= found.f_blocks)
        holds("available blocks are no more than free", found.f_bavail <= found.f_bfree)
        holds("names may be 255 bytes", found.f_namelen >= 255)
    }
    suite.check("statvfs and fstatvfs agree") {
        var first = statvfs(), second = statvfs()
        let file = openFile(".", O_RDONLY)
        ok("statvfs", statvfs(".", &first))
        ok("fstatvfs", fstatvfs(file, &second))
        same("blocks", first.f_blocks, second.f_blocks)
        same("block size", first.f_bsize, second.f_bsize)
    }
    suite.check("statfs of a missing file is refused") {
        var found = statfs()
        refused(ENOENT, by: "statfs", statfs("no", &found))
    }
    let calls: [(String, (Int32) -> Int32)] = [
        ("fsync", { fsync($0) }), ("fdatasync", { fdatasync($0) }), ("syncfs", { fc_syncfs($0) }),
        ("sync_file_range", { fc_sync_file_range($0, 0, 4096) }),
    ]
    for (name, call) in calls {
        suite.check("\(name) of a file that was written works") {
            let file = openFile("f", O_RDWR | O_CREAT)
            writeAll(file, pattern(100_000))
            ok(name, call(file))
            sameBytes("contents", contents("f"), pattern(100_000))
        }
        suite.check("\(name) of a file opened for reading works") {
            create("f", "data")
            ok(name, call(openFile("f", O_RDONLY)))
        }
    }
    suite.check("fsync of a directory works") {
        create("f")
        ok("fsync", fsync(openFile(".", O_RDONLY | O_DIRECTORY)))
        ok("fdatasync", fdatasync(openFile(".", O_RDONLY | O_DIRECTORY)))
    }
    suite.check("fsync of a closed descriptor is refused") { refused(EBADF, by: "fsync", fsync(1000)) }
    suite.check("sync works") {
        create("f", "data")
        sync()
        sameContents("f", "data")
    }
}
