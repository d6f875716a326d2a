import ConformanceC
import Glibc

private func probe(_ flags: Int32, _ path: String) -> Int32 {
    let file = fc_open(path, flags, 0)
    if file < 0 { return fc_errno() }
    close(file)
    return 0
}

func addPermissionCases(_ suite: inout Suite) {
    addModeCases(&suite)
    addOwnerCases(&suite)
    addAccessCases(&suite)
    addStickyCases(&suite)
}

private func addModeCases(_ suite: inout Suite) {
    for mode: UInt32 in [0, 0o400, 0o644, 0o755, 0o777, 0o1644, 0o2755, 0o4755, 0o6711, 0o7777] {
        let octal = String(mode, radix: 8)
        suite.check("chmod of a file to \(octal) is kept") {
            create("f")
            ok("chmod", chmod("f", mode))
            same("mode", permissions(status("f")), mode)
            same("type", kind(status("f")), S_IFREG)
        }
        suite.check("fchmod of a directory to \(octal) is kept") {
            makeDirectory("d")
            ok("fchmod", fchmod(openFile("d", O_RDONLY), mode))
            same("mode", permissions(status("d")), mode)
            ok("chmod", chmod("d", 0o755))
        }
    }
    for mask: UInt32 in [0, 0o022, 0o077, 0o777] {
        suite.check("a umask of \(String(mask, radix: 8)) takes its bits from new files") {
            umask(mask)
            close(openFile("f", O_WRONLY | O_CREAT, 0o666))
            same("mode of a file", permissions(status("f")), 0o666 & ~mask)
            makeDirectory("d", 0o777)
            same("mode of a directory", permissions(status("d")), 0o777 & ~mask)
            ok("mknod", mknod("n", S_IFREG | 0o666, 0))
            same("mode of a node", permissions(status("n")), 0o666 & ~mask)
            ok("chmod", chmod("d", 0o755))
        }
    }
    suite.check("open gives set-user-ID and sticky bits to a new file") {
        umask(0)
        close(openFile("f", O_WRONLY | O_CREAT, 0o4711))
        same("mode", permissions(status("f")), 0o4711)
    }
    suite.check("chmod follows links, and refuses nothing and loops") {
        create("f")
        ok("symlink", symlink("f", "s"))
        ok("symlink", symlink("l", "l"))
        ok("chmod", chmod("s", 0o600))
        same("mode", permissions(status("f")), 0o600)
        refused(ENOENT, by: "chmod", chmod("no", 0o600))
        refused(ELOOP, by: "chmod", chmod("l", 0o600))
    }
    suite.check("chmod changes the status time and no other") {
        create("f", "data")
        let before = status("f")
        waitForTick(after: before.changed)
        ok("chmod", chmod("f", 0o600))
        let after = status("f")
        holds("the status time is later", after.changed > before.changed)
        same("modification time", after.modified, before.modified)
    }
    suite.checkAsRoot("a write by another user clears set-user-ID and set-group-ID") {
        create("f", "data")
        ok("chmod", chmod("f", 0o6777))
        asUser(1000) {
            let file = openFile("f", O_WRONLY)
            writeText(file, "x")
        }
        same("mode", permissions(status("f")), 0o777)
    }
    suite.checkAsRoot("a truncation by another user clears set-user-ID") {
        create("f", "data")
        ok("chmod", chmod("f", 0o4777))
        asUser(1000) { ok("truncate", truncate("f", 1)) }
        same("mode", permissions(status("f")), 0o777)
    }
    suite.checkAsRoot("a write by root leaves set-user-ID") {
        create("f", "data")
        ok("chmod", chmod("f", 0o4755))
        create("f", "more")
        same("mode", permissions(status("f")), 0o4755)
    }
}

private func addOwnerCases(_ suite: inout Suite) {
    for (user, group) in [(uid_t(1000), gid_t(1000)), (0, 5), (65534, 65534), (3_000_000_000, 4_000_000_000)] {
        suite.checkAsRoot("chown to \(user):\(group) is kept") {
            create("f")
            makeDirectory("d")
            for name in ["f", "d"] {
                ok("chown", chown(name, user, group))
                same("user", status(name).st_uid, user)
                same("group", status(name).st_gid, group)
            }
        }
    }
    suite.checkAsRoot("chown of -1 leaves an id") {
        create("f")
        ok("chown", chown("f", 7, 8))
        ok("chown", chown("f", uid_t.max, 9))
        same("user", status("f").st_uid, 7)
        ok("chown", chown("f", 10, gid_t.max))
        same("group", status("f").st_gid, 9)
        same("user", status("f").st_uid, 10)
    }
    suite.checkAsRoot("chown of a file that can be run clears set-user-ID and set-group-ID") {
        create("f")
        ok("chmod", chmod("f", 0o6755))
        asUser(0) { ok("chown", chown("f", 1000, 1000)) }
        same("mode", permissions(status("f")), 0o755)
    }
    suite.checkAsRoot("chown changes the status time") {
        create("f")
        let before = status("f")
        waitForTick(after: before.changed)
        ok("chown", chown("f", 1000, 1000))
        holds("the status time is later", status("f").changed > before.changed)
        same("modification time", status("f").modified, before.modified)
    }
    suite.checkAsRoot("files belong to the user who makes them") {
        ok("chmod", chmod(".", 0o777))
        asUser(1234, group: 2345) {
            create("f")
            makeDirectory("d")
            ok("symlink", symlink("x", "s"))
            ok("mknod", mknod("n", S_IFREG | 0o600, 0))
        }
        for name in ["f", "d", "s", "n"] {
            same("user of \(name)", status(name).st_uid, 1234)
            same("group of \(name)", status(name).st_gid, 2345)
        }
    }
    suite.checkAsRoot("files belong to the effective user of seteuid") {
        ok("chmod", chmod(".", 0o777))
        ok("setegid", setegid(2345))
        ok("seteuid", seteuid(1234))
        create("f")
        ok("seteuid", seteuid(0))
        ok("setegid", setegid(0))
        create("g")
        same("user", status("f").st_uid, 1234)
        same("group", status("f").st_gid, 2345)
        same("user", status("g").st_uid, 0)
    }
    suite.checkAsRoot("a user cannot give files away, nor change those of others") {
        create("mine")
        create("others")
        ok("chown", chown("mine", 1000, 1000))
        asUser(1000) {
            refused(EPERM, by: "chown", chown("mine", 1001, gid_t.max))
            refused(EPERM, by: "chown", chown("mine", uid_t.max, 7))
            refused(EPERM, by: "chown", chown("others", 1000, gid_t.max))
            refused(EPERM, by: "chmod", chmod("others", 0o777))
            ok("chmod", chmod("mine", 0o600))
        }
    }
    suite.checkAsRoot("a user can give a file to a group he is in") {
        create("f")
        ok("chown", chown("f", 1000, 1000))
        asUser(1000, groups: [2000]) { ok("chown", chown("f", uid_t.max, 2000)) }
        same("group", status("f").st_gid, 2000)
    }
}

private func addAccessCases(_ suite: inout Suite) {
    // The mode, who asks (owner 1000, group 2000), and what he may do.
    let table: [(UInt32, String, uid_t, [gid_t], Bool, Bool)] = [
        (0o600, "the owner", 1000, [], true, true), (0o400, "the owner", 1000, [], true, false),
        (0o200, "the owner", 1000, [], false, true), (0o077, "the owner", 1000, [2000], false, false),
        (0o660, "a member of the group", 1001, [2000], true, true),
        (0o640, "a member of the group", 1001, [2000], true, false),
        (0o606, "a member of the group", 1001, [2000], false, false), (0o606, "another user", 1001, [], true, true),
        (0o604, "another user", 1001, [], true, false), (0o660, "another user", 1001, [], false, false),
        (0o000, "the owner", 1000, [], false, false),
    ]
    for (mode, who, user, groups, mayRead, mayWrite) in table {
        let rights = [mayRead ? "read" : nil, mayWrite ? "write" : nil].compactMap { $0 }.joined(separator: " and ")
        suite.checkAsRoot("with mode \(String(mode, radix: 8)) \(who) may \(rights.isEmpty ? "do nothing" : rights)") {
            create("f", "data")
            ok("chown", chown("f", 1000, 2000))
            ok("chmod", chmod("f", mode))
            asUser(user, groups: groups) {
                same("open for reading", errorName(probe(O_RDONLY, "f")), errorName(mayRead ? 0 : EACCES))
                same("open for writing", errorName(probe(O_WRONLY, "f")), errorName(mayWrite ? 0 : EACCES))
                same("access for reading", access("f", R_OK), mayRead ? 0 : -1)
                same("access for writing", access("f", W_OK), mayWrite ? 0 : -1)
            }
        }
    }
    suite.checkAsRoot("root may read and write whatever the mode") {
        create("f", "data")
        ok("chown", chown("f", 1000, 1000))
        ok("chmod", chmod("f", 0))
        close(openFile("f", O_RDWR))
    }
    suite.checkAsRoot("a directory without search permission hides what is in it") {
        makeDirectory("d", 0o766)
        create("d/f", "data", mode: 0o666)
        ok("chmod", chmod("d", 0o766))
        asUser(1000) {
            var found = stat()
            refused(EACCES, by: "stat", stat("d/f", &found))
            refused(EACCES, by: "open", fc_open("d/f", O_RDONLY, 0))
            refused(EACCES, by: "open", fc_open("d/new", O_WRONLY | O_CREAT, 0o644))
            holds("names are listed", names("d") == ["f"])
        }
    }
    suite.checkAsRoot("a directory without write permission stays as it is") {
        makeDirectory("d")
        create("d/f", "data", mode: 0o666)
        makeDirectory("d/sub")
        asUser(1000) {
            refused(EACCES, by: "open", fc_open("d/new", O_WRONLY | O_CREAT, 0o644))
            refused(EACCES, by: "unlink", unlink("d/f"))
            refused(EACCES, by: "mkdir", mkdir("d/new", 0o755))
            refused(EACCES, by: "rmdir", rmdir("d/sub"))
            refused(EACCES, by: "rename", rename("d/f", "d/g"))
            refused(EACCES, by: "symlink", symlink("x", "d/s"))
            refused(EACCES, by: "mknod", mknod("d/n", S_IFREG | 0o600, 0))
            close(openFile("d/f", O_RDONLY))
        }
        same("entries", names("d"), ["f", "sub"])
    }
    suite.checkAsRoot("an open descriptor keeps its rights after chmod") {
        create("f", "data", mode: 0o644)
        ok("chown", chown("f", 1000, 1000))
        asUser(1000) {
            let file = openFile("f", O_RDWR)
            ok("chmod", chmod("f", 0))
            sameBytes("contents", read(file, at: 0, limit: 9), Array("data".utf8))
            writeAll(file, Array("DATA".utf8), at: 0)
            refused(EACCES, by: "open", fc_open("f", O_RDONLY, 0))
        }
    }
    suite.checkAsRoot("an open descriptor keeps its rights in a process that gives up root's") {
        create("f", "data", mode: 0o600)
        let file = openFile("f", O_RDWR)
        asUser(1000) {
            sameBytes("contents", read(file, at: 0, limit: 9), Array("data".utf8))
            writeAll(file, Array("DATA".utf8), at: 0)
            refused(EACCES, by: "open", fc_open("f", O_RDONLY, 0))
        }
        sameContents("f", "DATA")
    }
    suite.checkAsRoot("chmod takes rights at once") {
        create("f", "data")
        for _ in 0..<5 {
            ok("chmod", chmod("f", 0o600))
            asUser(1000) { refused(EACCES, by: "open", fc_open("f", O_RDONLY, 0)) }
            ok("chmod", chmod("f", 0o644))
            asUser(1000) { close(openFile("f", O_RDONLY)) }
        }
    }
    suite.checkAsRoot("a program is run only with execute permission") {
        create("f", "#!/bin/true\n", mode: 0o644)
        refused(EACCES, by: "access", access("f", X_OK))
        ok("chmod", chmod("f", 0o755))
        ok("access", access("f", X_OK))
    }
}

private func addStickyCases(_ suite: inout Suite) {
    suite.checkAsRoot("in a sticky directory users remove only their own files") {
        makeDirectory("d")
        ok("chmod", chmod("d", 0o1777))
        asUser(1000) { create("d/mine"); create("d/also-mine") }
        asUser(1001) {
            refused(EPERM, EACCES, by: "unlink", unlink("d/mine"))
            refused(EPERM, EACCES, by: "rename", rename("d/mine", "d/yours"))
            create("d/other")
            refused(EPERM, EACCES, by: "rename over", rename("d/other", "d/mine"))
        }
        asUser(1000) { remove("d/mine") }
        same("entries", names("d"), ["also-mine", "other"])
    }
    suite.checkAsRoot("in a sticky directory its owner removes all files") {
        makeDirectory("d")
        ok("chown", chown("d", 1001, 1001))
        ok("chmod", chmod("d", 0o1777))
        asUser(1000) { create("d/f") }
        asUser(1001) { remove("d/f") }
    }
    suite.checkAsRoot("in a sticky directory users remove only their own directories") {
        makeDirectory("d")
        ok("chmod", chmod("d", 0o1777))
        asUser(1000) { makeDirectory("d/sub") }
        asUser(1001) { refused(EPERM, EACCES, by: "rmdir", rmdir("d/sub")) }
        asUser(1000) { ok("rmdir", rmdir("d/sub")) }
    }
    suite.checkAsRoot("a directory that all may write to lets others remove files, without the sticky bit") {
        makeDirectory("d")
        ok("chmod", chmod("d", 0o777))
        create("d/f")
        asUser(1000) { remove("d/f") }
    }
}
