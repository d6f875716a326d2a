import CLinux
import Glibc
import LinuxSystem

/// A program to run, and how it must end.
struct Command {
    let path: String
    var arguments: [String]
    var expectedStatus: Int32 = 0

    var name: String { String(path.split(separator: "/").last ?? "") }
    var line: String { ([path] + arguments).joined(separator: " ") }
}

/// How a program ran.
struct Finished {
    /// From before the fork to after the wait, by CLOCK_MONOTONIC.
    let wallNanoseconds: UInt64
    let usage: rusage
    /// The exit status, or 128+n when signal n ended it.
    let status: Int32
    let output: String
    let errors: String

    var milliseconds: Double { Double(wallNanoseconds) / 1e6 }
}

/// Starts programs, and ends only what it has started. Their standard input is empty, but that of a `Session`.
final class Runner {
    /// SIGCHLD, and the signals that end this program: read from a signalfd, so that a wait ends with whatever comes
    /// first and no child is left behind.
    private let signals: FileDescriptor
    private let empty: FileDescriptor

    private static let endings = [SIGINT, SIGTERM, SIGHUP]

    init() throws {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in Self.endings + [SIGCHLD] { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signals = FileDescriptor(owning: signalfd(-1, &set, Int32(SFD_CLOEXEC)))
        empty = try FileDescriptor.open("/dev/null", .readWrite)
    }

    /// Runs a program to its end.
    func run(_ command: Command, timeout: Int = 120) throws -> Finished {
        let output = try FileDescriptor.anonymousFile(name: "output")
        let errors = try FileDescriptor.anonymousFile(name: "errors")
        let start = Clock.now
        let child = try spawn(command, input: nil, output: output.raw, errors: errors.raw)
        defer { child.kill() }
        let deadline = start + UInt64(timeout) * 1_000_000_000
        while !child.hasEnded { try waitForNews(of: command, on: [], until: deadline) }
        let finished = Finished(wallNanoseconds: Clock.now - start, usage: child.usage, status: child.status,
                                output: try output.text(), errors: try errors.text())
        guard finished.status == command.expectedStatus else {
            throw BenchmarkError("""
                \(command.line): ended with status \(finished.status), expected \(command.expectedStatus)
                \(finished.output)\(finished.errors)
                """)
        }
        return finished
    }

    /// Starts a program, waits until it prints a line that begins so, looks at it, and ends it by SIGKILL. With an
    /// empty `prefix` the first byte is waited for.
    ///
    /// - Parameter look: gets the process and the nanoseconds from before the fork to that output.
    func run<Result>(
        _ command: Command, untilLine prefix: String, timeout: Int = 30, _ look: (pid_t, UInt64) throws -> Result
    ) throws -> Result {
        let session = try Session(command, input: nil, self)
        defer { session.kill() }
        let nanoseconds = try session.waitForLine(prefix, timeout: timeout)
        return try look(session.identifier, nanoseconds)
    }

    /// - Parameter input: nil: empty.
    func spawn(_ command: Command, input: Int32?, output: Int32, errors: Int32) throws -> Child {
        do {
            return Child(try CurrentProcess.spawn(command.path, arguments: [command.name] + command.arguments,
                                                  descriptors: [input ?? empty.raw, output, errors]))
        } catch {
            throw BenchmarkError("\(command.path): \(error)")
        }
    }

    /// Waits for a signal, or for something to read; says which of the descriptors have it.
    ///
    /// - Throws: `Interrupted` at a signal that asks this program to end; `BenchmarkError` at the deadline.
    @discardableResult
    func waitForNews(of command: Command, on descriptors: [Int32], until deadline: UInt64) throws -> [Bool] {
        var watched = ([signals.raw] + descriptors).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let now = Clock.now
        guard now < deadline else { throw BenchmarkError("\(command.line): took too long and was killed") }
        guard poll(&watched, nfds_t(watched.count), Int32((deadline - now) / 1_000_000 + 1)) > 0 else {
            return descriptors.map { _ in false }
        }
        if watched[0].revents != 0 {
            var info = signalfd_siginfo()
            _ = Glibc.read(signals.raw, &info, MemoryLayout<signalfd_siginfo>.size)
            if let signal = Self.endings.first(where: { UInt32($0) == info.ssi_signo }) { throw Interrupted(signal: signal) }
        }
        return watched.dropFirst().map { $0.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 }
    }
}

/// This program was asked to end: nothing goes on without a program that could not take part.
struct Interrupted: Error, CustomStringConvertible {
    let signal: Int32

    var description: String { "ended by signal \(signal)" }
}

/// A process that this program has started.
final class Child {
    let identifier: pid_t
    private(set) var usage = rusage()
    private(set) var status: Int32 = 0
    private var isReaped = false

    init(_ identifier: pid_t) {
        self.identifier = identifier
    }

    /// Whether it has ended: `status` and `usage` are known from then on.
    var hasEnded: Bool {
        reap(WNOHANG)
        return isReaped
    }

    /// Ends it, if it has not ended, and waits for that.
    func kill() {
        if isReaped { return }
        // Not yet waited for, so that the number cannot be another process's.
        _ = Glibc.kill(identifier, SIGKILL)
        reap(0)
    }

    private func reap(_ options: Int32) {
        if isReaped { return }
        var raw: Int32 = 0
        guard wait4(identifier, &raw, options, &usage) == identifier else { return }
        isReaped = true
        // WIFEXITED and its kin are macros that Swift does not import.
        status = raw & 0x7F == 0 ? raw >> 8 & 0xFF : 128 + raw & 0x7F
    }
}

enum Clock {
    /// Nanoseconds of CLOCK_MONOTONIC.
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension FileDescriptor {
    /// What is in the file, cut at 1 MiB.
    func text() throws(Errno) -> String {
        String(decoding: try prefix(1 << 20), as: UTF8.self)
    }
}
