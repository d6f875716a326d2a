import CLinux
import Glibc

extension CurrentProcess {
    /// Starts a program that outlives this one: a session of its own, `/` as working directory, no signal blocked or ignored, and no other
    /// descriptors than these as its 0, 1, 2…. Returns its process id; the caller waits for its end (`waitForProcess`) as long as it lives
    /// itself. The corresponding C function is `posix_spawn`.
    public static func spawnDetached(_ path: String, arguments: [String], descriptors: [Int32]) throws(Errno) -> Int32 {
        // Above all targets, so that no descriptor is replaced before it has been copied.
        var copies: [Int32] = []
        defer { for copy in copies { _ = close(copy) } }
        for descriptor in descriptors { copies.append(try once { svmm_fcntl_value(descriptor, F_DUPFD_CLOEXEC, 64) }) }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, source) in copies.enumerated() { posix_spawn_file_actions_adddup2(&actions, source, Int32(target)) }
        _ = svmm_spawn_close_from(&actions, Int32(copies.count))
        _ = svmm_spawn_change_directory(&actions, "/")

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ, SIGTTIN, SIGTTOU] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let newSession: Int32 = 0x80  // POSIX_SPAWN_SETSID, which <spawn.h> hides from Swift
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | newSession))

        let words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var identifier: Int32 = 0
        let result = posix_spawn(&identifier, path, &actions, &attributes, words, Glibc.environ)
        guard result == 0 else { throw Errno(rawValue: result) }
        return identifier
    }
}

/// Waits for a child's end: exit status, or 128 and the number of the signal. The corresponding C function is `waitpid`.
@discardableResult
public func waitForProcess(_ identifier: Int32) -> Int32 {
    svmm_wait(identifier)
}

/// Sends a signal to a process. The corresponding C function is `kill`.
public func sendSignal(_ signal: Int32, to process: Int32) throws(Errno) {
    _ = try once { kill(process, signal) }
}

/// Whether the file can be executed. The corresponding C function is `access` (X_OK).
public func isExecutable(_ path: String) -> Bool {
    access(path, X_OK) == 0
}
