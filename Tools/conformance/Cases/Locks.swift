import ConformanceC
import Glibc

private func setLock(_ file: Int32, _ type: Int32, _ start: Int = 0, _ count: Int = 0) -> Int32 {
    var lock = range(type, start, count)
    return fc_fcntl_lock(file, F_SETLK, &lock)
}

private func lock(_ file: Int32, _ type: Int32, _ start: Int = 0, _ count: Int = 0) {
    ok("F_SETLK", setLock(file, type, start, count))
}

/// What another process meets that wants the range: F_UNLCK for nothing.
private func conflict(_ wanted: Int32, _ start: Int, _ count: Int, isExactly expected: (Int32, Int, Int)?,
                      path: String = "f") {
    Child {
        let file = openFile(path, O_RDWR)
        var lock = range(wanted, start, count)
        ok("F_GETLK", fc_fcntl_lock(file, F_GETLK, &lock))
        guard let expected else { return same("F_GETLK's type", Int32(lock.l_type), F_UNLCK) }
        same("F_GETLK's type", Int32(lock.l_type), expected.0)
        same("F_GETLK's start", Int(lock.l_start), expected.1)
        same("F_GETLK's length", Int(lock.l_len), expected.2)
        same("F_GETLK's process", lock.l_pid, getppid())
    }.finish()
}

private func another(mayLock type: Int32, _ expected: Bool) {
    another(mayLock: type, 0, 0, expected)
}

private func another(mayLock type: Int32, _ start: Int, _ count: Int, _ expected: Bool) {
    Child {
        let file = openFile("f", O_RDWR)
        let result = setLock(file, type, start, count)
        if expected { ok("F_SETLK", result) } else { refused(EAGAIN, EACCES, by: "F_SETLK", result) }
    }.finish()
}

func addLockCases(_ suite: inout Suite) {
    addRangeCases(&suite)
    addReleaseCases(&suite)
    addWholeFileCases(&suite)
    addDescriptorLockCases(&suite)
}

private func addRangeCases(_ suite: inout Suite) {
    let kinds: [(String, Int32, Int32, Bool)] = [
        ("an exclusive lock keeps out an exclusive one", F_WRLCK, F_WRLCK, false),
        ("an exclusive lock keeps out a shared one", F_WRLCK, F_RDLCK, false),
        ("a shared lock keeps out an exclusive one", F_RDLCK, F_WRLCK, false),
        ("a shared lock lets in a shared one", F_RDLCK, F_RDLCK, true),
    ]
    for (name, mine, other, isFree) in kinds {
        suite.check(name) {
            create("f")
            lock(openFile("f", O_RDWR), mine)
            another(mayLock: other, isFree)
        }
    }
    // What is locked, what another wants, and whether it is free.
    let ranges: [(Int, Int, Int, Int, Bool)] = [
        (0, 10, 10, 10, true), (10, 10, 0, 10, true), (0, 10, 9, 1, false), (0, 0, 1 << 40, 1, false), (100, 0, 0, 100, true),
        (100, 0, 0, 101, false), (5, 1, 0, 0, false), (5, 1, 6, 0, true), (1 << 33, 10, 0, 1 << 33, true),
        ((1 << 33) + 5, 1, 1 << 33, 10, false),
    ]
    for (start, count, otherStart, otherCount, isFree) in ranges {
        let other = "\(otherStart)+\(otherCount)"
        suite.check("a lock of \(start)+\(count) \(isFree ? "leaves" : "covers part of") \(other)") {
            create("f")
            lock(openFile("f", O_RDWR), F_WRLCK, start, count)
            another(mayLock: F_WRLCK, otherStart, otherCount, isFree)
        }
    }
    suite.check("F_GETLK tells the lock that is in the way") {
        create("f")
        lock(openFile("f", O_RDWR), F_WRLCK, 10, 20)
        conflict(F_WRLCK, 0, 0, isExactly: (F_WRLCK, 10, 20))
        conflict(F_RDLCK, 15, 1, isExactly: (F_WRLCK, 10, 20))
        conflict(F_WRLCK, 0, 10, isExactly: nil)
    }
    suite.check("F_GETLK of a shared lock tells it to who wants an exclusive one") {
        create("f")
        lock(openFile("f", O_RDWR), F_RDLCK, 10, 20)
        conflict(F_WRLCK, 0, 0, isExactly: (F_RDLCK, 10, 20))
    }
    suite.check("F_GETLK of a shared lock tells nothing to who wants a shared one") {
        create("f")
        lock(openFile("f", O_RDWR), F_RDLCK, 10, 20)
        conflict(F_RDLCK, 0, 0, isExactly: nil)
    }
    suite.check("F_GETLK does not tell one's own lock") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_WRLCK)
        var wanted = wholeFile(F_WRLCK)
        ok("F_GETLK", fc_fcntl_lock(file, F_GETLK, &wanted))
        same("type", Int32(wanted.l_type), F_UNLCK)
    }
    suite.check("unlocking the middle splits a lock") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_WRLCK, 0, 30)
        lock(file, F_UNLCK, 10, 10)
        another(mayLock: F_WRLCK, 10, 10, true)
        another(mayLock: F_WRLCK, 9, 1, false)
        another(mayLock: F_WRLCK, 20, 1, false)
        conflict(F_WRLCK, 15, 0, isExactly: (F_WRLCK, 20, 10))
    }
    suite.check("locks that touch become one") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_WRLCK, 0, 10)
        lock(file, F_WRLCK, 10, 10)
        conflict(F_WRLCK, 0, 0, isExactly: (F_WRLCK, 0, 20))
    }
    suite.check("a part of an exclusive lock can be made shared") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_WRLCK, 0, 30)
        lock(file, F_RDLCK, 10, 10)
        another(mayLock: F_RDLCK, 10, 10, true)
        another(mayLock: F_RDLCK, 0, 30, false)
    }
    suite.check("a shared lock is upgraded when nobody else has one") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_RDLCK)
        lock(file, F_WRLCK)
        another(mayLock: F_RDLCK, false)
    }
    suite.check("an upgrade that another's shared lock forbids keeps the shared lock") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_RDLCK)
        let ready = Gate(), done = Gate()
        let child = Child {
            lock(openFile("f", O_RDWR), F_RDLCK)
            ready.open()
            done.wait()
        }
        ready.wait()
        refused(EAGAIN, EACCES, by: "the upgrade", setLock(file, F_WRLCK))
        done.open()
        child.finish()
        another(mayLock: F_WRLCK, false)
        another(mayLock: F_RDLCK, true)
    }
    suite.check("a downgrade lets shared locks in") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_WRLCK)
        another(mayLock: F_RDLCK, false)
        lock(file, F_RDLCK)
        another(mayLock: F_RDLCK, true)
    }
    suite.check("a lock needs a descriptor that may do what it protects") {
        create("f")
        refused(EBADF, by: "an exclusive lock", setLock(openFile("f", O_RDONLY), F_WRLCK))
        refused(EBADF, by: "a shared lock", setLock(openFile("f", O_WRONLY), F_RDLCK))
    }
    suite.check("a negative length locks what is before") {
        create("f")
        lock(openFile("f", O_RDWR), F_WRLCK, 20, -10)
        another(mayLock: F_WRLCK, 0, 10, true)
        another(mayLock: F_WRLCK, 10, 1, false)
        another(mayLock: F_WRLCK, 20, 1, true)
        refused(EINVAL, by: "a lock before the start", setLock(openFile("f", O_RDWR), F_WRLCK, 5, -10))
    }
    suite.check("a lock counts from the end of the file, if asked to") {
        create("f", "0123456789")
        var lock = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_END), l_start: -4, l_len: 2, l_pid: 0)
        ok("F_SETLK", fc_fcntl_lock(openFile("f", O_RDWR), F_SETLK, &lock))
        conflict(F_WRLCK, 0, 0, isExactly: (F_WRLCK, 6, 2))
    }
    suite.check("a hundred locks of one file are kept apart") {
        create("f")
        let file = openFile("f", O_RDWR)
        for number in 0..<100 { lock(file, F_WRLCK, number * 10, 5) }
        Child {
            let file = openFile("f", O_RDWR)
            for number in 0..<100 {
                refused(EAGAIN, EACCES, by: "F_SETLK", setLock(file, F_WRLCK, number * 10 + 4, 1))
                if number % 10 == 0 { lock(file, F_WRLCK, number * 10 + 5, 5) }
            }
        }.finish()
    }
}

private func addReleaseCases(_ suite: inout Suite) {
    suite.check("F_UNLCK gives a lock free") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_WRLCK)
        lock(file, F_UNLCK)
        another(mayLock: F_WRLCK, true)
    }
    suite.check("close gives locks free") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_WRLCK)
        close(file)
        another(mayLock: F_WRLCK, true)
    }
    suite.check("the close of any descriptor of the file gives the process's locks free") {
        create("f")
        lock(openFile("f", O_RDWR), F_WRLCK)
        close(openFile("f", O_RDONLY))
        another(mayLock: F_WRLCK, true)
    }
    suite.check("a process that is killed leaves no lock") {
        create("f")
        let gate = Gate()
        let child = Child {
            lock(openFile("f", O_RDWR), F_WRLCK)
            gate.open()
            pause()
        }
        gate.wait()
        another(mayLock: F_WRLCK, false)
        child.kill()
        another(mayLock: F_WRLCK, true)
    }
    suite.check("a child process does not inherit locks") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_WRLCK)
        Child { refused(EAGAIN, EACCES, by: "F_SETLK", setLock(file, F_WRLCK)) }.finish()
    }
    suite.check("who waits for a lock gets it when it is free") {
        create("f")
        let file = openFile("f", O_RDWR)
        lock(file, F_WRLCK)
        let gate = Gate()
        let child = Child {
            let file = openFile("f", O_RDWR)
            gate.open()
            var lock = wholeFile(F_WRLCK)
            ok("F_SETLKW", fc_fcntl_lock(file, F_SETLKW, &lock))
            sameContents("f", "released")
        }
        gate.wait()
        writeText(file, "released")
        lock(file, F_UNLCK)
        child.finish()
    }
    suite.check("who waits for a lock can be interrupted") {
        create("f")
        lock(openFile("f", O_RDWR), F_WRLCK)
        Child {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { _ in }
            sigaction(SIGALRM, &action, nil)
            // ITIMER_REAL.
            var interval = itimerval(it_interval: timeval(tv_sec: 0, tv_usec: 20_000), it_value: timeval(tv_sec: 0, tv_usec: 20_000))
            setitimer(__itimer_which_t(0), &interval, nil)
            let file = openFile("f", O_RDWR)
            var lock = wholeFile(F_WRLCK)
            refused(EINTR, by: "F_SETLKW", fc_fcntl_lock(file, F_SETLKW, &lock))
        }.finish()
    }
    suite.check("locks are of the file, whatever name opened it") {
        create("f")
        ok("link", link("f", "g"))
        lock(openFile("g", O_RDWR), F_WRLCK)
        another(mayLock: F_WRLCK, false)
    }
    suite.check("locks stay with a file through a rename") {
        create("g")
        lock(openFile("g", O_RDWR), F_WRLCK)
        ok("rename", rename("g", "f"))
        another(mayLock: F_WRLCK, false)
    }
    suite.check("four processes count exactly under a lock") {
        var children: [Child] = []
        for _ in 0..<4 {
            children.append(Child { same("lock-counter", countUnderLock(["f", "50"]), 0) })
        }
        for child in children { child.finish() }
        sameContents("f", "200\n")
    }
}

private func addWholeFileCases(_ suite: inout Suite) {
    let pairs: [(String, Int32, Int32, Bool)] = [
        ("LOCK_EX keeps out LOCK_EX", LOCK_EX, LOCK_EX, false), ("LOCK_EX keeps out LOCK_SH", LOCK_EX, LOCK_SH, false),
        ("LOCK_SH keeps out LOCK_EX", LOCK_SH, LOCK_EX, false), ("LOCK_SH lets in LOCK_SH", LOCK_SH, LOCK_SH, true),
    ]
    for (name, mine, other, isFree) in pairs {
        suite.check("flock: \(name) of another process") {
            create("f")
            ok("flock", flock(openFile("f", O_RDWR), mine))
            Child {
                let result = flock(openFile("f", O_RDWR), other | LOCK_NB)
                if isFree { ok("flock", result) } else { refused(EWOULDBLOCK, by: "flock", result) }
            }.finish()
        }
        suite.check("flock: \(name) of another descriptor of the process") {
            create("f")
            ok("flock", flock(openFile("f", O_RDWR), mine))
            let result = flock(openFile("f", O_RDWR), other | LOCK_NB)
            if isFree { ok("flock", result) } else { refused(EWOULDBLOCK, by: "flock", result) }
        }
    }
    suite.check("flock needs no right to write") {
        create("f")
        ok("flock", flock(openFile("f", O_RDONLY), LOCK_EX))
    }
    suite.check("flock: LOCK_UN gives free") {
        create("f")
        let file = openFile("f", O_RDWR)
        ok("flock", flock(file, LOCK_EX))
        ok("flock", flock(file, LOCK_UN))
        Child { ok("flock", flock(openFile("f", O_RDWR), LOCK_EX | LOCK_NB)) }.finish()
    }
    suite.check("flock: the last close gives free") {
        create("f")
        let file = openFile("f", O_RDWR)
        let copy = ok("dup", dup(file))
        ok("flock", flock(file, LOCK_EX))
        close(file)
        Child { refused(EWOULDBLOCK, by: "flock", flock(openFile("f", O_RDWR), LOCK_EX | LOCK_NB)) }.finish()
        close(copy)
        Child { ok("flock", flock(openFile("f", O_RDWR), LOCK_EX | LOCK_NB)) }.finish()
    }
    suite.check("flock: another descriptor's close leaves the lock") {
        create("f")
        ok("flock", flock(openFile("f", O_RDWR), LOCK_EX))
        close(openFile("f", O_RDONLY))
        Child { refused(EWOULDBLOCK, by: "flock", flock(openFile("f", O_RDWR), LOCK_EX | LOCK_NB)) }.finish()
    }
    suite.check("flock: a child process shares the lock of its parent's descriptor") {
        create("f")
        let file = openFile("f", O_RDWR)
        ok("flock", flock(file, LOCK_EX))
        Child { ok("flock", flock(file, LOCK_EX | LOCK_NB)) }.finish()
        Child { refused(EWOULDBLOCK, by: "flock", flock(openFile("f", O_RDWR), LOCK_EX | LOCK_NB)) }.finish()
    }
    suite.check("flock: upgrade and downgrade work") {
        create("f")
        let file = openFile("f", O_RDWR)
        for kind in [LOCK_SH, LOCK_EX, LOCK_SH] { ok("flock", flock(file, kind | LOCK_NB)) }
        Child { ok("flock", flock(openFile("f", O_RDWR), LOCK_SH | LOCK_NB)) }.finish()
    }
    suite.check("flock: locks of fcntl do not meet those of flock") {
        create("f")
        ok("flock", flock(openFile("f", O_RDWR), LOCK_EX))
        Child { lock(openFile("f", O_RDWR), F_WRLCK) }.finish()
    }
    suite.check("flock of a directory works") {
        makeDirectory("d")
        ok("flock", flock(openFile("d", O_RDONLY), LOCK_EX))
        Child { refused(EWOULDBLOCK, by: "flock", flock(openFile("d", O_RDONLY), LOCK_EX | LOCK_NB)) }.finish()
    }
    suite.check("flock: a process that is killed leaves no lock") {
        create("f")
        let gate = Gate()
        let child = Child {
            ok("flock", flock(openFile("f", O_RDWR), LOCK_EX))
            gate.open()
            pause()
        }
        gate.wait()
        child.kill()
        ok("flock", flock(openFile("f", O_RDWR), LOCK_EX | LOCK_NB))
    }
    suite.check("flock: who waits gets the lock when it is free") {
        create("f")
        let file = openFile("f", O_RDWR)
        ok("flock", flock(file, LOCK_EX))
        let gate = Gate()
        let child = Child {
            let file = openFile("f", O_RDWR)
            gate.open()
            ok("flock", flock(file, LOCK_EX))
            sameContents("f", "released")
        }
        gate.wait()
        writeText(file, "released")
        ok("flock", flock(file, LOCK_UN))
        child.finish()
    }
}

private func addDescriptorLockCases(_ suite: inout Suite) {
    func set(_ file: Int32, _ type: Int32, _ start: Int = 0, _ count: Int = 0) -> Int32 {
        var lock = range(type, start, count)
        return fc_fcntl_lock(file, fc_f_ofd_setlk(), &lock)
    }
    suite.check("OFD locks of two descriptors of one process keep each other out") {
        create("f")
        ok("F_OFD_SETLK", set(openFile("f", O_RDWR), F_WRLCK, 0, 10))
        let other = openFile("f", O_RDWR)
        refused(EAGAIN, by: "F_OFD_SETLK", set(other, F_WRLCK, 5, 1))
        ok("F_OFD_SETLK", set(other, F_WRLCK, 10, 1))
    }
    suite.check("OFD locks keep out another process") {
        create("f")
        ok("F_OFD_SETLK", set(openFile("f", O_RDWR), F_WRLCK))
        Child { refused(EAGAIN, by: "F_OFD_SETLK", set(openFile("f", O_RDWR), F_RDLCK)) }.finish()
        another(mayLock: F_WRLCK, false)
    }
    suite.check("OFD locks stay when another descriptor is closed") {
        create("f")
        ok("F_OFD_SETLK", set(openFile("f", O_RDWR), F_WRLCK))
        close(openFile("f", O_RDWR))
        another(mayLock: F_WRLCK, false)
    }
    suite.check("OFD locks go with the last descriptor") {
        create("f")
        let file = openFile("f", O_RDWR)
        let copy = ok("dup", dup(file))
        ok("F_OFD_SETLK", set(file, F_WRLCK))
        close(file)
        another(mayLock: F_WRLCK, false)
        close(copy)
        another(mayLock: F_WRLCK, true)
    }
    suite.check("OFD locks are inherited by a child process") {
        create("f")
        let file = openFile("f", O_RDWR)
        ok("F_OFD_SETLK", set(file, F_WRLCK))
        Child { ok("F_OFD_SETLK", set(file, F_WRLCK)) }.finish()
        another(mayLock: F_WRLCK, false)
    }
    suite.check("F_OFD_GETLK tells the lock that is in the way") {
        create("f")
        ok("F_OFD_SETLK", set(openFile("f", O_RDWR), F_WRLCK, 10, 5))
        var lock = wholeFile(F_WRLCK)
        ok("F_OFD_GETLK", fc_fcntl_lock(openFile("f", O_RDWR), fc_f_ofd_getlk(), &lock))
        same("type", Int32(lock.l_type), F_WRLCK)
        same("start", lock.l_start, 10)
        same("length", lock.l_len, 5)
        same("process", lock.l_pid, -1)
    }
}
