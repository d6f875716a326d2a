import ConformanceC
import Glibc

/// A process that a case starts. What it finds ends the case as if the case had found it.
struct Child {
    let pid: pid_t

    init(_ body: () -> Void) {
        pid = ok("fork", fork())
        if pid == 0 {
            body()
            _exit(0)
        }
    }

    /// Waits for its end.
    func finish() {
        let status = wait()
        if fc_signal(status) != 0 { fail("a child process ended by signal \(fc_signal(status))") }
        // It has said why itself.
        if fc_exit_status(status) != 0 { _exit(fc_exit_status(status)) }
    }

    func kill() {
        Glibc.kill(pid, SIGKILL)
        _ = wait()
    }

    private func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) != pid {
            if fc_errno() != EINTR { fail("waitpid: expected success, found \(errorName(fc_errno()))") }
        }
        return status
    }
}

/// What another user finds: in a child process that gives up root's rights. Cases that use this need root.
func asUser(_ user: uid_t, group: gid_t? = nil, groups: [gid_t] = [], _ body: () -> Void) {
    Child {
        ok("setgroups", fc_set_groups(groups, Int32(groups.count)))
        ok("setresgid", setresgid(group ?? user, group ?? user, 0))
        ok("setresuid", setresuid(user, user, 0))
        body()
    }.finish()
}

/// One process waits until another has come to a place.
struct Gate {
    private let reader: Int32
    private let writer: Int32

    init() {
        var ends: [Int32] = [0, 0]
        ok("pipe", pipe(&ends))
        reader = ends[0]
        writer = ends[1]
    }

    func open() {
        ok("write to a gate", write(writer, "x", 1))
    }

    func wait() {
        var byte: UInt8 = 0
        same("bytes from a gate", read(reader, &byte, 1), 1)
    }
}
