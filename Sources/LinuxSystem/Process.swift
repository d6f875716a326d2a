import CLinux
import Glibc

/// Calls about this process.
public enum CurrentProcess {
    /// The executable's absolute path. The corresponding C function is `readlink` (/proc/self/exe).
    public static func executablePath() throws(Errno) -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = try once { buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) } }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    /// The working directory. The corresponding C function is `getcwd`.
    public static func workingDirectory() throws(Errno) -> String {
        guard let path = getcwd(nil, 0) else { throw .current }
        defer { free(path) }
        return String(cString: path)
    }

    /// The user whose rights the process has. The corresponding C function is `geteuid`.
    public static var user: UInt32 { geteuid() }

    /// The group whose rights the process has. The corresponding C function is `getegid`.
    public static var group: UInt32 { getegid() }

    /// The process's number. The corresponding C function is `getpid`.
    public static var identifier: Int32 { getpid() }

    /// A variable of the environment; nil when it is not set or not UTF-8. The corresponding C function is `getenv`.
    public static func variable(_ name: String) -> String? {
        getenv(name).flatMap { String(validatingCString: $0) }
    }

    /// Whether there is a process with this number, whosever it is. The corresponding C function is `kill` (with signal 0).
    public static func exists(_ identifier: Int32) -> Bool {
        kill(identifier, 0) == 0 || Errno.current == .notPermitted
    }

    /// Leaves the caller's session, terminal and process group for ones of its own; without effect for the leader of a group. The C
    /// function is `setsid`.
    public static func beginSession() {
        _ = setsid()
    }

    /// Ends the process at once, without running exit handlers: other threads may hold any lock. The C function is `_exit`.
    public static func exitNow(_ status: Int32) -> Never {
        _exit(status)
    }

    /// From now on no program that this process becomes or starts has more rights than it has itself, set-user-ID bits or not. The
    /// corresponding C function is `prctl` (PR_SET_NO_NEW_PRIVS).
    public static func setNoNewPrivileges() throws(Errno) {
        _ = try once { svmm_set_no_new_privileges() }
    }

    /// Puts /dev/null in the place of standard input, output and error: whoever reads the latter two sees their end. The C functions
    /// are `open` and `dup2`.
    public static func closeStandardStreams() throws(Errno) {
        let null = try FileDescriptor.open("/dev/null", .readWrite)
        for target: Int32 in 0...2 { _ = try retryingInterrupts { dup2(null.raw, target) } }
    }

    /// Keeps malloc to one arena: threads that allocate little need none of their own, which cost mappings and memory. Before
    /// the first thread. The corresponding C function is `mallopt` (M_ARENA_MAX).
    public static func useOneAllocationArena() {
        _ = mallopt(M_ARENA_MAX, 1)
    }

    /// Unmaps the pages of the program's code, which come back from the page cache as they are needed: what only the start
    /// needed is then no longer part of the process. The C function is `madvise` (MADV_DONTNEED).
    public static func releaseStartUpCode() {
        let page = UInt(4096)
        let start = (UInt(bitPattern: svmm_code_start()) + page - 1) & ~(page - 1)
        let end = UInt(bitPattern: svmm_code_end()) & ~(page - 1)
        guard end > start, let address = UnsafeMutableRawPointer(bitPattern: start) else { return }
        // Sound: code and constants are never written, so that nothing is lost with the pages.
        _ = madvise(address, Int(end - start), MADV_DONTNEED)
    }

    /// Replaces the program with another. Returns only by throwing. The corresponding C function is `execv`.
    public static func execute(_ path: String, arguments: [String]) throws(Errno) -> Never {
        let pointers = arguments.map { strdup($0) } + [nil]
        execv(path, pointers)
        let error = Errno.current
        for pointer in pointers { free(pointer) }
        throw error
    }

    /// Starts another program with the given descriptors as its 0, 1, 2, 3…; every other descriptor that is close-on-exec
    /// stays here. Signals start unblocked, in a process group of its own. Returns its process id. The corresponding C function is `posix_spawn`.
    public static func spawn(_ path: String, arguments: [String], descriptors: [Int32]) throws(Errno) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, source) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, source, Int32(target))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        let pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var identifier: Int32 = 0
        let result = posix_spawn(&identifier, path, &actions, &attributes, pointers, Glibc.environ)
        guard result == 0 else { throw Errno(rawValue: result) }
        return identifier
    }
}

/// So many random bytes of the kernel, as `fillWithRandomBytes`.
public func randomBytes(_ count: Int) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let result = bytes.withUnsafeMutableBytes { buffer in Result { () throws(Errno) in try fillWithRandomBytes(buffer) } }
    try result.get()
    return bytes
}

/// Fills the buffer with random bytes of the kernel. The corresponding C function is `getrandom`.
public func fillWithRandomBytes(_ buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
    var done = 0
    while done < buffer.count {
        done += try retryingInterrupts { getrandom(buffer.baseAddress! + done, buffer.count - done, 0) }
    }
}
