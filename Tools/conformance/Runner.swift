import ConformanceC
import Glibc

/// What came of one case.
struct Outcome {
    let verdict: Verdict
    /// What was expected and found, or why the case does not apply.
    let words: String
}

/// Runs cases one after the other, each in a process and a directory of its own.
struct Runner {
    /// Where the cases' directories are: one that this program made.
    let root: String
    /// Seconds after which a case that has not ended is killed: it hangs.
    let patience: UInt32

    func run(_ test: Case) -> Outcome {
        let directory = root + "/case"
        guard mkdir(directory, 0o755) == 0 else {
            return Outcome(verdict: .failed, words: "mkdir of the case's directory: \(errorName(fc_errno()))")
        }
        let outcome = runInChild(test, directory)
        guard removeTree(directory) else {
            // What is left must not disturb the next case.
            rename(directory, root + "/left-\(getpid())-\(test.name.utf8.count)")
            let words = outcome.verdict == .failed ? outcome.words : "its directory could not be removed"
            return Outcome(verdict: .failed, words: words)
        }
        return outcome
    }

    private func runInChild(_ test: Case, _ directory: String) -> Outcome {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return Outcome(verdict: .failed, words: "pipe: \(errorName(fc_errno()))") }
        let child = fork()
        if child == 0 {
            close(ends[0])
            // A group of its own, so that what a case leaves behind can be ended.
            setpgid(0, 0)
            findings = ends[1]
            umask(0o022)
            signal(SIGPIPE, SIG_IGN)
            alarm(patience)
            ok("chdir", chdir(directory))
            test.body()
            _exit(Verdict.passed.rawValue)
        }
        close(ends[1])
        var status: Int32 = 0
        while waitpid(child, &status, 0) != child, fc_errno() == EINTR {}
        kill(-child, SIGKILL)
        var words: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(ends[0], &chunk, chunk.count)
            if count <= 0 { break }
            words += chunk[..<count]
        }
        close(ends[0])
        if fc_signal(status) == SIGALRM { return Outcome(verdict: .failed, words: "it did not end within \(patience) s") }
        if fc_signal(status) != 0 { return Outcome(verdict: .failed, words: "ended by signal \(fc_signal(status))") }
        let verdict = Verdict(rawValue: fc_exit_status(status)) ?? .failed
        return Outcome(verdict: verdict, words: String(decoding: words, as: UTF8.self))
    }
}

/// Removes a directory and all below it, however deep; false when something stays.
func removeTree(_ path: String) -> Bool {
    let parent = fc_open(".", O_RDONLY | O_DIRECTORY, 0)
    defer { close(parent) }
    guard emptyDirectory(AT_FDCWD, path) else { return false }
    return rmdir(path) == 0
}

private func emptyDirectory(_ parent: Int32, _ path: String) -> Bool {
    let file = fc_openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
    guard file >= 0, let directory = fdopendir(file) else { return false }
    defer { closedir(directory) }
    // A directory that changes while it is read may be read incompletely: until nothing is left.
    var isEmpty = false
    var rounds = 0
    while !isEmpty, rounds < 8 {
        isEmpty = true
        rounds += 1
        rewinddir(directory)
        var names: [[CChar]] = []
        while let entry = readdir(directory) {
            let start = fc_entry_name(entry)!
            let name = Array(UnsafeBufferPointer(start: start, count: strlen(start) + 1))
            if strcmp(start, ".") != 0, strcmp(start, "..") != 0 { names.append(name) }
        }
        for name in names {
            isEmpty = false
            if unlinkat(file, name, 0) == 0 { continue }
            let isRemoved = name.withUnsafeBufferPointer { emptyDirectory(file, String(cString: $0.baseAddress!)) }
            if !isRemoved || unlinkat(file, name, AT_REMOVEDIR) != 0 { return false }
        }
    }
    return isEmpty
}
