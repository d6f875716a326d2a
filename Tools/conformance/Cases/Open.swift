import ConformanceC
import Glibc

private struct OpenRefusal {
    let name: String
    let path: String
    let flags: Int32
    let code: Int32
}

func addOpenCases(_ suite: inout Suite) {
    addCreationCases(&suite)
    addOpenFlagCases(&suite)
    let refusals = [
        OpenRefusal(name: "a missing file is not opened", path: "missing", flags: O_RDONLY, code: ENOENT),
        OpenRefusal(name: "an empty name is no file", path: "", flags: O_RDONLY, code: ENOENT),
        OpenRefusal(name: "a name below a regular file is refused", path: "file/x", flags: O_RDONLY, code: ENOTDIR),
        OpenRefusal(name: "a regular file with a slash behind it is refused", path: "file/", flags: O_RDONLY, code: ENOTDIR),
        OpenRefusal(name: "a name below a missing directory is refused", path: "no/x", flags: O_RDWR | O_CREAT, code: ENOENT),
        OpenRefusal(name: "O_CREAT with O_EXCL refuses a file that is there", path: "file",
                    flags: O_WRONLY | O_CREAT | O_EXCL, code: EEXIST),
        OpenRefusal(name: "O_CREAT with O_EXCL refuses a directory", path: "dir", flags: O_RDONLY | O_CREAT | O_EXCL,
                    code: EEXIST),
        OpenRefusal(name: "O_CREAT with O_EXCL refuses a symbolic link", path: "link", flags: O_WRONLY | O_CREAT | O_EXCL,
                    code: EEXIST),
        OpenRefusal(name: "O_CREAT with O_EXCL refuses a dangling symbolic link", path: "dangling",
                    flags: O_WRONLY | O_CREAT | O_EXCL, code: EEXIST),
        OpenRefusal(name: "a directory is not opened for writing", path: "dir", flags: O_WRONLY, code: EISDIR),
        OpenRefusal(name: "a directory is not opened for reading and writing", path: "dir", flags: O_RDWR, code: EISDIR),
        OpenRefusal(name: "a directory is not truncated", path: "dir", flags: O_RDONLY | O_TRUNC, code: EISDIR),
        OpenRefusal(name: "O_CREAT refuses a directory", path: "dir", flags: O_RDONLY | O_CREAT, code: EISDIR),
        OpenRefusal(name: "O_DIRECTORY refuses a regular file", path: "file", flags: O_RDONLY | O_DIRECTORY, code: ENOTDIR),
        OpenRefusal(name: "O_DIRECTORY refuses a link to a regular file", path: "link", flags: O_RDONLY | O_DIRECTORY,
                    code: ENOTDIR),
        OpenRefusal(name: "O_NOFOLLOW refuses a symbolic link", path: "link", flags: O_RDONLY | O_NOFOLLOW, code: ELOOP),
        OpenRefusal(name: "O_NOFOLLOW refuses a dangling link", path: "dangling", flags: O_RDONLY | O_NOFOLLOW, code: ELOOP),
        OpenRefusal(name: "a dangling symbolic link leads nowhere", path: "dangling", flags: O_RDONLY, code: ENOENT),
        OpenRefusal(name: "O_CREAT refuses a name that ends in a slash", path: "new/", flags: O_WRONLY | O_CREAT, code: EISDIR),
    ]
    for refusal in refusals {
        suite.check(refusal.name) {
            create("file", "contents")
            makeDirectory("dir")
            ok("symlink", symlink("file", "link"))
            ok("symlink", symlink("nowhere", "dangling"))
            refused(refusal.code, by: "open", fc_open(refusal.path, refusal.flags, 0o644))
            sameContents("file", "contents")
            isMissing("nowhere")
        }
    }
}

private func addCreationCases(_ suite: inout Suite) {
    suite.check("O_CREAT makes an empty regular file") {
        close(openFile("f", O_WRONLY | O_CREAT))
        same("type", kind(status("f")), S_IFREG)
        same("size", status("f").st_size, 0)
        same("links", status("f").st_nlink, 1)
    }
    suite.check("O_CREAT opens a file that is there and leaves its contents and mode") {
        create("f", "abc", mode: 0o600)
        close(openFile("f", O_WRONLY | O_CREAT, 0o777))
        sameContents("f", "abc")
        same("mode", permissions(status("f")), 0o600)
    }
    suite.check("O_CREAT makes the file that a dangling link names") {
        ok("symlink", symlink("target", "link"))
        let file = openFile("link", O_WRONLY | O_CREAT)
        writeText(file, "x")
        close(file)
        sameContents("target", "x")
        same("type", kind(status("link")), S_IFLNK)
    }
    suite.check("O_CREAT with O_RDONLY makes a file that can be read") {
        let file = openFile("f", O_RDONLY | O_CREAT)
        sameBytes("contents", read(file, at: 0, limit: 10), [])
        refused(EBADF, by: "write", write(file, "x", 1))
        close(file)
    }
    suite.check("a file made with mode 0 can be written through its descriptor") {
        let file = openFile("f", O_RDWR | O_CREAT, 0)
        writeText(file, "hello")
        sameBytes("contents", read(file, at: 0, limit: 10), Array("hello".utf8))
        same("mode", permissions(status(file)), 0)
        close(file)
    }
    suite.check("a file made with mode 0444 can be written through its descriptor") {
        let file = openFile("f", O_WRONLY | O_CREAT, 0o444)
        writeText(file, "hello")
        close(file)
        sameContents("f", "hello")
    }
    suite.check("O_EXCL lets one of several processes make the file") {
        var children: [Child] = []
        for number in 0..<4 {
            children.append(Child {
                for round in 0..<20 {
                    let file = fc_open("f\(round)", O_WRONLY | O_CREAT | O_EXCL, 0o644)
                    if file >= 0 {
                        create("won-\(round)-\(number)")
                        close(file)
                    } else {
                        same("errno", fc_errno(), EEXIST)
                    }
                }
            })
        }
        for child in children { child.finish() }
        same("winners", names().filter { $0.hasPrefix("won") }.count, 20)
    }
    for (access, name) in [(O_WRONLY, "O_WRONLY"), (O_RDWR, "O_RDWR")] {
        suite.check("O_TRUNC with \(name) empties a file") {
            create("f", "contents")
            close(openFile("f", access | O_TRUNC))
            same("size", status("f").st_size, 0)
        }
        suite.check("O_CREAT, O_TRUNC and \(name) empty a file that is there") {
            create("f", "contents")
            let before = status("f").st_ino
            close(openFile("f", access | O_TRUNC | O_CREAT))
            same("size", status("f").st_size, 0)
            same("inode", status("f").st_ino, before)
        }
    }
    suite.check("O_TRUNC is seen by a descriptor that was open before") {
        create("f", "contents")
        let file = openFile("f", O_RDONLY)
        close(openFile("f", O_WRONLY | O_TRUNC))
        same("size", status(file).st_size, 0)
        sameBytes("contents", read(file, at: 0, limit: 10), [])
        close(file)
    }
    suite.check("creat makes and empties") {
        create("f", "contents")
        close(ok("creat", creat("f", 0o644)))
        same("size", status("f").st_size, 0)
    }
}

private func addOpenFlagCases(_ suite: inout Suite) {
    suite.check("O_APPEND writes at the end wherever the offset is") {
        create("f", "begin")
        let file = openFile("f", O_RDWR | O_APPEND)
        ok("lseek", lseek(file, 0, SEEK_SET))
        writeText(file, "-end")
        same("offset", lseek(file, 0, SEEK_CUR), 9)
        close(file)
        sameContents("f", "begin-end")
    }
    suite.check("O_APPEND from two descriptors in turn loses nothing") {
        create("f")
        let first = openFile("f", O_WRONLY | O_APPEND), second = openFile("f", O_WRONLY | O_APPEND)
        for _ in 0..<10 {
            writeText(first, "a")
            writeText(second, "bb")
        }
        close(first)
        close(second)
        sameContents("f", String(repeating: "abb", count: 10))
    }
    suite.check("O_APPEND follows what another descriptor wrote past the end") {
        create("f", "1")
        let appending = openFile("f", O_WRONLY | O_APPEND), other = openFile("f", O_WRONLY)
        writeAll(other, Array("2345".utf8), at: 1)
        writeText(appending, "6")
        close(appending)
        close(other)
        sameContents("f", "123456")
    }
    suite.check("O_APPEND follows a truncation through another descriptor") {
        create("f", "123456")
        let appending = openFile("f", O_WRONLY | O_APPEND)
        ok("truncate", truncate("f", 2))
        writeText(appending, "x")
        close(appending)
        sameContents("f", "12x")
    }
    suite.check("O_APPEND can be set and cleared by fcntl") {
        create("f", "123")
        let file = openFile("f", O_RDWR)
        ok("F_SETFL", fc_fcntl(file, F_SETFL, O_APPEND))
        holds("F_GETFL has O_APPEND", ok("F_GETFL", fc_fcntl(file, F_GETFL, 0)) & O_APPEND != 0)
        writeText(file, "4")
        ok("F_SETFL", fc_fcntl(file, F_SETFL, 0))
        ok("lseek", lseek(file, 0, SEEK_SET))
        writeText(file, "x")
        close(file)
        sameContents("f", "x234")
    }
    suite.check("F_GETFL tells how a file was opened") {
        create("f")
        for access in [O_RDONLY, O_WRONLY, O_RDWR] {
            let file = openFile("f", access)
            same("access mode", ok("F_GETFL", fc_fcntl(file, F_GETFL, 0)) & O_ACCMODE, access)
            close(file)
        }
    }
    suite.check("O_DIRECTORY opens a directory") { close(openFile(".", O_RDONLY | O_DIRECTORY)) }
    suite.check("O_NOFOLLOW opens a regular file") {
        create("f", "x")
        close(openFile("f", O_RDONLY | O_NOFOLLOW))
    }
    suite.check("O_NOFOLLOW follows links before the last name") {
        makeDirectory("dir")
        create("dir/f", "x")
        ok("symlink", symlink("dir", "link"))
        close(openFile("link/f", O_RDONLY | O_NOFOLLOW))
    }
    suite.check("O_PATH with O_NOFOLLOW opens a symbolic link itself") {
        ok("symlink", symlink("nowhere", "link"))
        let file = openFile("link", fc_o_path() | O_NOFOLLOW)
        same("type", kind(status(file)), S_IFLNK)
        close(file)
    }
    suite.check("O_PATH gives no data, and its status") {
        create("f", "data", mode: 0o000)
        let file = openFile("f", fc_o_path())
        same("size", status(file).st_size, 4)
        var byte: UInt8 = 0
        refused(EBADF, by: "read", read(file, &byte, 1))
        close(file)
    }
    suite.check("O_PATH of a directory is a place to open from") {
        makeDirectory("dir")
        create("dir/f", "x")
        let directory = openFile("dir", fc_o_path() | O_DIRECTORY)
        close(ok("openat", fc_openat(directory, "f", O_RDONLY, 0)))
        close(directory)
    }
    suite.check("O_PATH stays with its file through a rename") {
        create("f", "data")
        let file = openFile("f", fc_o_path())
        ok("rename", rename("f", "g"))
        create("f", "another")
        same("size", status(file).st_size, 4)
        close(file)
    }
    suite.check("O_TMPFILE makes a file without a name, or is refused") {
        let file = supported("open with O_TMPFILE", unless: EOPNOTSUPP, EISDIR,
                             result: fc_open(".", O_RDWR | fc_o_tmpfile(), 0o600))
        writeText(file, "x")
        same("links", status(file).st_nlink, 0)
        same("entries", names(), [])
        close(file)
    }
    suite.check("O_TMPFILE's file can be given a name, or O_TMPFILE is refused") {
        let file = supported("open with O_TMPFILE", unless: EOPNOTSUPP, EISDIR,
                             result: fc_open(".", O_RDWR | fc_o_tmpfile(), 0o600))
        writeText(file, "x")
        var result = linkat(AT_FDCWD, "/proc/self/fd/\(file)", AT_FDCWD, "named", AT_SYMLINK_FOLLOW)
        if result != 0, fc_errno() == ENOENT, access("/proc/self/fd", F_OK) != 0 { notApplicable("no /proc") }
        result = result == 0 ? 0 : -1
        ok("linkat", result)
        sameContents("named", "x")
        close(file)
    }
    suite.check("O_SYNC and O_DSYNC are accepted") {
        for flag in [O_SYNC, O_DSYNC] {
            let file = openFile("f", O_RDWR | O_CREAT | flag)
            writeText(file, "x")
            close(file)
        }
        sameContents("f", "x")
    }
    suite.check("O_NOATIME is accepted of the owner") {
        create("f", "x")
        close(openFile("f", O_RDONLY | fc_o_noatime()))
    }
    suite.check("O_DIRECT reads and writes whole blocks, or is refused") {
        create("f")
        let file = supported("open with O_DIRECT", unless: EINVAL, EOPNOTSUPP, result: fc_open("f", O_RDWR | fc_o_direct(), 0))
        var memory: UnsafeMutableRawPointer?
        same("posix_memalign", posix_memalign(&memory, 4096, 8192), 0)
        let bytes = pattern(8192)
        bytes.withUnsafeBytes { memory!.copyMemory(from: $0.baseAddress!, byteCount: 8192) }
        same("bytes written", ok("write", pwrite(file, memory, 8192, 0)), 8192)
        memset(memory!, 0, 8192)
        same("bytes read", ok("read", pread(file, memory, 8192, 0)), 8192)
        sameBytes("contents", Array(UnsafeRawBufferPointer(start: memory!, count: 8192)), bytes)
        close(file)
    }
    suite.check("O_DIRECT and buffered descriptors see each other's writes") {
        create("f", pattern(4096))
        let direct = supported("open with O_DIRECT", unless: EINVAL, EOPNOTSUPP, result: fc_open("f", O_RDWR | fc_o_direct(), 0))
        let buffered = openFile("f", O_RDWR)
        var memory: UnsafeMutableRawPointer?
        same("posix_memalign", posix_memalign(&memory, 4096, 4096), 0)
        memset(memory!, 7, 4096)
        same("bytes written", ok("write", pwrite(direct, memory, 4096, 0)), 4096)
        sameBytes("contents", read(buffered, at: 0, limit: 4096), [UInt8](repeating: 7, count: 4096))
        writeAll(buffered, [UInt8](repeating: 9, count: 4096), at: 0)
        ok("fsync", fsync(buffered))
        same("bytes read", ok("read", pread(direct, memory, 4096, 0)), 4096)
        sameBytes("contents", Array(UnsafeRawBufferPointer(start: memory!, count: 4096)), [UInt8](repeating: 9, count: 4096))
    }
    suite.check("open gives the lowest free descriptor, and close frees it") {
        let first = openFile("f", O_RDWR | O_CREAT)
        ok("close", close(first))
        same("descriptor", openFile("f", O_RDONLY), first)
        ok("close", close(first))
        refused(EBADF, by: "a second close", close(first))
    }
    suite.check("a descriptor opened for reading takes no writes") {
        create("f", "x")
        let file = openFile("f", O_RDONLY)
        refused(EBADF, by: "write", write(file, "y", 1))
        refused(EINVAL, EBADF, by: "ftruncate", ftruncate(file, 0))
        sameContents("f", "x")
    }
    suite.check("a descriptor opened for writing gives no data") {
        create("f", "x")
        let file = openFile("f", O_WRONLY)
        var byte: UInt8 = 0
        refused(EBADF, by: "read", read(file, &byte, 1))
    }
    suite.check("openat resolves below its directory, and absolute names do not care") {
        makeDirectory("dir")
        create("dir/f", "below")
        let directory = openFile("dir", O_RDONLY | O_DIRECTORY)
        let file = ok("openat", fc_openat(directory, "f", O_RDONLY, 0))
        sameBytes("contents", read(file, at: 0, limit: 9), Array("below".utf8))
        refused(ENOENT, by: "openat", fc_openat(directory, "g", O_RDONLY, 0))
        close(ok("openat", fc_openat(directory, "/", O_RDONLY, 0)))
    }
    suite.check("openat from a descriptor of a regular file is refused") {
        create("f")
        let file = openFile("f", O_RDONLY)
        refused(ENOTDIR, by: "openat", fc_openat(file, "g", O_RDONLY, 0))
    }
}
