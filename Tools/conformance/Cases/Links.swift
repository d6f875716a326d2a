import ConformanceC
import Glibc

func readLink(_ path: String) -> String {
    var buffer = [UInt8](repeating: 0, count: 8192)
    let count = ok("readlink", buffer.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, 8192) })
    return String(decoding: buffer[..<count], as: UTF8.self)
}

func addLinkCases(_ suite: inout Suite) {
    addHardLinkCases(&suite)
    addSymbolicLinkCases(&suite)
}

private func addHardLinkCases(_ suite: inout Suite) {
    suite.check("link gives a file a second name") {
        create("f", "data")
        ok("link", link("f", "g"))
        same("inode", status("g").st_ino, status("f").st_ino)
        same("links", status("f").st_nlink, 2)
        same("links", status("g").st_nlink, 2)
        sameContents("g", "data")
    }
    suite.check("what is written by one name is read by the other") {
        create("f", "data")
        ok("link", link("f", "g"))
        create("g", "changed")
        sameContents("f", "changed")
        ok("chmod", chmod("f", 0o600))
        same("mode", permissions(status("g")), 0o600)
    }
    suite.check("link counts follow twenty links and their removal") {
        create("f", "data")
        for number in 1...20 {
            ok("link", link("f", "l\(number)"))
            same("links", Int(status("f").st_nlink), number + 1)
        }
        for number in 1...20 {
            remove("l\(number)")
            same("links", Int(status("f").st_nlink), 21 - number)
        }
    }
    suite.check("link into another directory works") {
        makeDirectory("dir")
        create("f", "data")
        ok("link", link("f", "dir/g"))
        remove("f")
        sameContents("dir/g", "data")
        same("links", status("dir/g").st_nlink, 1)
    }
    suite.check("link refuses a name that is there") {
        create("f", "1")
        create("g", "2")
        makeDirectory("d")
        ok("symlink", symlink("nowhere", "s"))
        for name in ["f", "g", "d", "s"] { refused(EEXIST, by: "link", link("f", name)) }
        sameContents("g", "2")
    }
    suite.check("link refuses a directory") {
        makeDirectory("dir")
        refused(EPERM, by: "link", link("dir", "other"))
    }
    suite.check("link refuses a missing file") { refused(ENOENT, by: "link", link("f", "g")) }
    suite.check("link into a missing directory is refused") {
        create("f")
        refused(ENOENT, by: "link", link("f", "no/g"))
        refused(ENOTDIR, by: "link", link("f", "f/g"))
    }
    suite.check("link does not follow a symbolic link, linkat with AT_SYMLINK_FOLLOW does") {
        create("f", "data")
        ok("symlink", symlink("f", "s"))
        ok("link", link("s", "t"))
        same("type", kind(status("t")), S_IFLNK)
        same("links", status("s").st_nlink, 2)
        ok("linkat", linkat(AT_FDCWD, "s", AT_FDCWD, "g", AT_SYMLINK_FOLLOW))
        same("inode", status("g").st_ino, status("f").st_ino)
    }
    suite.check("link of a FIFO works") {
        supported("mkfifo", unless: EPERM, result: mkfifo("p", 0o600))
        ok("link", link("p", "q"))
        same("inode", status("q").st_ino, status("p").st_ino)
        same("links", status("p").st_nlink, 2)
    }
    suite.check("link changes the status time") {
        create("f")
        let before = status("f").changed
        waitForTick(after: before)
        ok("link", link("f", "g"))
        holds("the status time is later", status("f").changed > before)
    }
    suite.check("unlink refuses a missing file, and a directory") {
        makeDirectory("dir")
        refused(ENOENT, by: "unlink", unlink("no"))
        refused(EISDIR, EPERM, by: "unlink", unlink("dir"))
        refused(ENOTDIR, by: "unlink", { create("f"); return unlink("f/x") }())
    }
    suite.check("unlink changes the status time of a file that has another name") {
        create("f")
        ok("link", link("f", "g"))
        let before = status("f").changed
        waitForTick(after: before)
        remove("g")
        holds("the status time is later", status("f").changed > before)
    }
    suite.check("unlink of a symbolic link leaves its target") {
        create("f", "data")
        ok("symlink", symlink("f", "s"))
        remove("s")
        sameContents("f", "data")
    }
}

private func addSymbolicLinkCases(_ suite: inout Suite) {
    let long = (0..<40).map { "component-\($0)-of-a-long-target" }.joined(separator: "/")
    let targets = ["f", "../..", "/", "/absolute/name", "a b\nc", "./././x", "\u{FC}\u{1F600}", String(repeating: "x", count: 255),
                   long, String(repeating: "d/", count: 2047)]
    for target in targets {
        let name = target == "a b\nc" ? "with a newline" : "'\(shortened(target))'"
        suite.check("a symbolic link says what it was given: \(name)") {
            ok("symlink", symlink(target, "s"))
            same("target", readLink("s"), target)
            same("size", Int(status("s").st_size), target.utf8.count)
            same("type", kind(status("s")), S_IFLNK)
        }
    }
    suite.check("a symbolic link's target may be any bytes") {
        let target = (1...255).map { CChar(bitPattern: UInt8($0)) } + [0]
        ok("symlink", symlink(target, "s"))
        var buffer = [UInt8](repeating: 0, count: 300)
        same("size", buffer.withUnsafeMutableBytes { readlink("s", $0.baseAddress!, 300) }, 255)
        sameBytes("target", Array(buffer[..<255]), (1...255).map { UInt8($0) })
    }
    suite.check("readlink cuts at the buffer's end") {
        ok("symlink", symlink("0123456789", "s"))
        var buffer = [UInt8](repeating: 0, count: 4)
        same("size", buffer.withUnsafeMutableBytes { readlink("s", $0.baseAddress!, 4) }, 4)
        sameBytes("target", buffer, Array("0123".utf8))
    }
    suite.check("readlink refuses what is no link") {
        create("f")
        var buffer = [UInt8](repeating: 0, count: 4)
        refused(EINVAL, by: "readlink of a file", buffer.withUnsafeMutableBytes { readlink("f", $0.baseAddress!, 4) })
        refused(EINVAL, by: "readlink of a directory", buffer.withUnsafeMutableBytes { readlink(".", $0.baseAddress!, 4) })
        refused(ENOENT, by: "readlink", buffer.withUnsafeMutableBytes { readlink("no", $0.baseAddress!, 4) })
    }
    suite.check("a symbolic link to nothing is refused") { refused(ENOENT, by: "symlink", symlink("", "s")) }
    suite.check("a symbolic link to too much is refused") {
        refused(ENAMETOOLONG, by: "symlink", symlink(String(repeating: "x", count: 4096), "s"))
    }
    suite.check("symlink refuses a name that is there") {
        create("f")
        makeDirectory("d")
        ok("symlink", symlink("nowhere", "s"))
        for name in ["f", "d", "s"] { refused(EEXIST, by: "symlink", symlink("x", name)) }
    }
    suite.check("links are followed in the middle of a path") {
        makeDirectory("a")
        makeDirectory("a/b")
        create("a/b/f", "data")
        ok("symlink", symlink("a/b", "s"))
        sameContents("s/f", "data")
        ok("symlink", symlink("../a", "a/up"))
        sameContents("a/up/up/b/f", "data")
    }
    suite.check("a chain of 40 links is followed, one of 41 is a loop") {
        create("l0", "data")
        for number in 1...41 { ok("symlink", symlink("l\(number - 1)", "l\(number)")) }
        sameContents("l40", "data")
        refused(ELOOP, by: "open", fc_open("l41", O_RDONLY, 0))
    }
    suite.check("a link to itself is a loop") {
        ok("symlink", symlink("s", "s"))
        refused(ELOOP, by: "open", fc_open("s", O_RDONLY, 0))
        refused(ELOOP, by: "open", fc_open("s/x", O_RDONLY, 0))
        var found = stat()
        refused(ELOOP, by: "stat", stat("s", &found))
        same("target", readLink("s"), "s")
    }
    suite.check("two links to each other are a loop") {
        ok("symlink", symlink("b", "a"))
        ok("symlink", symlink("a", "b"))
        refused(ELOOP, by: "open", fc_open("a", O_RDWR, 0))
    }
    suite.check("a dangling link is there for lstat and not for stat") {
        ok("symlink", symlink("nowhere", "s"))
        var found = stat()
        refused(ENOENT, by: "stat", stat("s", &found))
        same("type", kind(status("s")), S_IFLNK)
    }
    suite.check("a dangling link comes to life with its target") {
        ok("symlink", symlink("f", "s"))
        refused(ENOENT, by: "open", fc_open("s", O_RDONLY, 0))
        create("f", "data")
        sameContents("s", "data")
        remove("f")
        refused(ENOENT, by: "open", fc_open("s", O_RDONLY, 0))
    }
    suite.check("a link that is made anew is followed to its new target") {
        create("f", "1")
        create("g", "2")
        ok("symlink", symlink("f", "s"))
        sameContents("s", "1")
        remove("s")
        ok("symlink", symlink("g", "s"))
        same("target", readLink("s"), "g")
        sameContents("s", "2")
    }
    suite.checkAsRoot("lchown changes the link and not its target") {
        create("f")
        ok("symlink", symlink("f", "s"))
        ok("lchown", lchown("s", 1000, 1001))
        same("user of the link", status("s").st_uid, 1000)
        same("user of the file", status("f").st_uid, 0)
    }
    suite.check("utimensat with AT_SYMLINK_NOFOLLOW changes the link's times") {
        create("f")
        ok("symlink", symlink("f", "s"))
        let before = status("f").modified
        let times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 2000, tv_nsec: 0)]
        ok("utimensat", utimensat(AT_FDCWD, "s", times, AT_SYMLINK_NOFOLLOW))
        same("link's time", status("s").modified, Time(2000, 0))
        same("file's time", status("f").modified, before)
    }
    suite.check("realpath resolves links") {
        makeDirectory("a")
        create("a/f", "")
        ok("symlink", symlink("a/f", "s"))
        guard let found = realpath("s", nil) else { fail("realpath: \(errorName(fc_errno()))") }
        holds("the name ends in a/f", String(cString: found).hasSuffix("/a/f"))
    }
}
