import ConformanceC
import Glibc

private let now = timespec(tv_sec: 0, tv_nsec: Int(UTIME_NOW_VALUE))
private let omit = timespec(tv_sec: 0, tv_nsec: Int(UTIME_OMIT_VALUE))
// <sys/stat.h> has casts in these.
private let UTIME_NOW_VALUE = (1 << 30) - 1
private let UTIME_OMIT_VALUE = (1 << 30) - 2

private func set(_ path: String, _ accessed: timespec, _ modified: timespec) {
    ok("utimensat", utimensat(AT_FDCWD, path, [accessed, modified], 0))
}

func addTimeCases(_ suite: inout Suite) {
    addChangeCases(&suite)
    for time in [Time(0, 0), Time(1, 1), Time(1_000_000_000, 999_999_999), Time(2_147_483_647, 5), Time(2_147_483_648, 123_456_789),
                 Time(4_294_967_295, 0), Time(-1, 500_000_000)] {
        suite.check("utimensat keeps \(time)") {
            create("f")
            set("f", time.specification, time.specification)
            same("modification time", status("f").modified, time)
            same("access time", status("f").accessed, time)
        }
    }
    suite.check("utimensat of a directory keeps its times") {
        makeDirectory("d")
        set("d", Time(1000, 1).specification, Time(2000, 2).specification)
        same("modification time", status("d").modified, Time(2000, 2))
        same("access time", status("d").accessed, Time(1000, 1))
    }
    suite.check("UTIME_OMIT leaves a time") {
        create("f")
        set("f", Time(1000, 1).specification, Time(2000, 2).specification)
        set("f", Time(3000, 3).specification, omit)
        same("modification time", status("f").modified, Time(2000, 2))
        same("access time", status("f").accessed, Time(3000, 3))
        set("f", omit, Time(4000, 4).specification)
        same("modification time", status("f").modified, Time(4000, 4))
        same("access time", status("f").accessed, Time(3000, 3))
    }
    suite.check("UTIME_OMIT twice changes nothing") {
        create("f")
        let before = status("f")
        waitForTick(after: before.changed)
        set("f", omit, omit)
        same("status time", status("f").changed, before.changed)
    }
    suite.check("UTIME_NOW is the file system's time") {
        create("f")
        set("f", Time(1000, 1).specification, Time(2000, 2).specification)
        let before = status("f").changed
        set("f", now, now)
        holds("the modification time is not before that", status("f").modified >= before)
        holds("the access time is not before that", status("f").accessed >= before)
    }
    suite.check("UTIME_NOW for one time and a value for the other") {
        create("f")
        let before = status("f").changed
        set("f", now, Time(2000, 2).specification)
        same("modification time", status("f").modified, Time(2000, 2))
        holds("the access time is now", status("f").accessed >= before)
        set("f", Time(3000, 3).specification, now)
        same("access time", status("f").accessed, Time(3000, 3))
        holds("the modification time is now", status("f").modified >= before)
    }
    suite.check("no times at all mean now") {
        create("f")
        set("f", Time(1000, 1).specification, Time(2000, 2).specification)
        let before = status("f").changed
        ok("utimensat", utimensat(AT_FDCWD, "f", nil, 0))
        holds("the modification time is not before that", status("f").modified >= before)
    }
    suite.check("nanoseconds out of range are refused") {
        create("f")
        for bad in [1_000_000_000, -1] {
            refused(EINVAL, by: "utimensat",
                    utimensat(AT_FDCWD, "f", [timespec(tv_sec: 1, tv_nsec: bad), timespec(tv_sec: 1, tv_nsec: 0)], 0))
        }
    }
    suite.check("futimens and utimes set times") {
        create("f")
        let file = openFile("f", O_RDONLY)
        ok("futimens", futimens(file, [Time(10, 11).specification, Time(12, 13).specification]))
        same("modification time", status("f").modified, Time(12, 13))
        ok("utimes", utimes("f", [timeval(tv_sec: 20, tv_usec: 21), timeval(tv_sec: 22, tv_usec: 23)]))
        same("modification time", status("f").modified, Time(22, 23_000))
    }
    suite.checkAsRoot("who may write may set now, and only the owner more") {
        create("f")
        ok("chmod", chmod("f", 0o666))
        create("g", mode: 0o644)
        asUser(1000) {
            ok("utimensat", utimensat(AT_FDCWD, "f", nil, 0))
            refused(EPERM, by: "utimensat",
                    utimensat(AT_FDCWD, "f", [Time(1, 1).specification, Time(1, 1).specification], 0))
            refused(EACCES, by: "utimensat", utimensat(AT_FDCWD, "g", nil, 0))
        }
    }
    suite.check("utimensat changes the status time") {
        create("f")
        let before = status("f").changed
        waitForTick(after: before)
        set("f", Time(1000, 1).specification, Time(2000, 2).specification)
        holds("the status time is later", status("f").changed > before)
    }
}

private func addChangeCases(_ suite: inout Suite) {
    let changes: [(String, Bool, () -> Void)] = [
        ("write", true, { writeText(openFile("f", O_WRONLY), "x") }),
        ("pwrite in the middle", true, { writeAll(openFile("f", O_WRONLY), [1], at: 2) }),
        ("an extending ftruncate", true, { ok("ftruncate", ftruncate(openFile("f", O_WRONLY), 100)) }),
        ("a shrinking ftruncate", true, { ok("ftruncate", ftruncate(openFile("f", O_WRONLY), 1)) }),
        ("truncate", true, { ok("truncate", truncate("f", 1)) }),
        ("O_TRUNC", true, { close(openFile("f", O_WRONLY | O_TRUNC)) }),
        ("open", false, { close(openFile("f", O_RDWR)) }),
        ("read", false, { _ = contents("f") }),
        ("stat", false, { _ = status("f") }),
        ("a lock", false, { ok("flock", flock(openFile("f", O_RDWR), LOCK_EX)) }),
        ("a write of nothing", false, { ok("write", write(openFile("f", O_WRONLY), "", 0)) }),
        ("fsync", false, { ok("fsync", fsync(openFile("f", O_RDWR))) }),
    ]
    for (name, isChange, change) in changes {
        suite.check("\(name) \(isChange ? "changes" : "leaves") the modification time and the status time") {
            create("f", "0123456789")
            let before = status("f")
            waitForTick(after: max(before.changed, before.modified))
            change()
            let after = status("f")
            if isChange {
                holds("the modification time is later", after.modified > before.modified)
                holds("the status time is later", after.changed > before.changed)
            } else {
                same("modification time", after.modified, before.modified)
                same("status time", after.changed, before.changed)
            }
        }
    }
    suite.check("a new file's times are of its making") {
        let before = status(".").modified
        create("f")
        let found = status("f")
        holds("the modification time is not before the directory's", found.modified >= before)
        same("access time", found.accessed, found.modified)
        holds("the status time is not before that", found.changed >= found.modified)
    }
    suite.check("a read moves an access time that is before the modification time") {
        var space = statvfs()
        ok("statvfs", statvfs(".", &space))
        if space.f_flag & 1024 != 0 { notApplicable("mounted noatime") }
        create("f", "data")
        set("f", Time(1000, 0).specification, Time(2000, 0).specification)
        _ = contents("f")
        holds("the access time is later", status("f").accessed > Time(1000, 0))
    }
    suite.check("times by descriptor and by name are the same after a write") {
        let file = openFile("f", O_WRONLY | O_CREAT)
        for _ in 0..<10 {
            writeText(file, "x")
            same("modification time", status(file).modified, status("f").modified)
        }
    }
}
