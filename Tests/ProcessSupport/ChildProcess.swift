import CLinux
import Glibc
import LinuxSystem

/// How a process ended.
public enum ProcessEnd: Equatable, Sendable {
    case exited(Int32)
    /// By this signal.
    case killed(Int32)
}

/// What a test waited for did not come; says what came instead.
public struct DeadlinePassed: Error, CustomStringConvertible {
    public let description: String
}

/// Longer than anything takes on a machine under load: a minute, or $SVMM_TEST_PATIENCE seconds, for machines that are
/// themselves emulated. A test that passes never waits for it.
let patience: UInt64 = {
    let seconds = getenv("SVMM_TEST_PATIENCE").flatMap { UInt64(String(cString: $0)) } ?? 60
    return seconds * 1_000_000_000
}()

/// A program that a test has started, with its standard streams captured. It is killed when this object goes.
public final class ChildProcess: Sendable {
    public enum Input: Sendable {
        /// /dev/null
        case nothing
        /// What `send` sends, until `closeInput`.
        case pipe
    }

    public enum Output: Sendable {
        case captured
        /// A pipe of one page that nobody reads until `output.start` is called.
        case unread
        case file(String)
        /// A pipe whose reader has gone.
        case closedPipe
    }

    public let identifier: Int32
    /// Standard output; ends at once where it is not captured.
    public let output: StreamReader
    /// Standard error.
    public let errors: StreamReader
    private let state: ProcessState
    private let input: InputPipe

    /// Starts a program; `arguments` begin with its path.
    public convenience init(_ arguments: [String], input: Input = .nothing, output: Output = .captured) throws(Errno) {
        let inputs = try FileDescriptor.pipe()
        let outputs = try FileDescriptor.pipe()
        let errors = try FileDescriptor.pipe()
        var target = outputs.write.raw
        var file: Int32?
        defer { if let file { close(file) } }
        if case .file(let path) = output {
            let opened = try FileDescriptor.open(path, [.writeOnly, .create, .append]).release()
            file = opened
            target = opened
        }
        if case .unread = output {
            _ = try once { svmm_fcntl_value(outputs.write.raw, F_SETPIPE_SZ, 4096) }
        }
        var source = inputs.read.raw
        let null = try FileDescriptor.open("/dev/null", .readOnly)
        if case .nothing = input { source = null.raw }
        let reader = StreamReader(try outputs.read.duplicate())
        if case .closedPipe = output { reader.discard() }
        let identifier = try Self.spawn(arguments, descriptors: (source, target, errors.write.raw))
        self.init(identifier, input: InputPipe(try inputs.write.duplicate()), output: reader,
                  errors: StreamReader(try errors.read.duplicate()))
        if case .pipe = input {} else { closeInput() }
        if case .unread = output {} else { try self.output.start() }
        try self.errors.start()
    }

    /// Starts a program as the leader of a session on this terminal, in the terminal's foreground.
    public convenience init(_ arguments: [String], on terminal: PseudoTerminal) throws(Errno) {
        let identifier = try Self.spawn(arguments, terminal: terminal.path)
        self.init(identifier, input: InputPipe(nil), output: terminal.output, errors: StreamReader(nil))
    }

    private init(_ identifier: Int32, input: InputPipe, output: StreamReader, errors: StreamReader) {
        self.identifier = identifier
        self.input = input
        self.output = output
        self.errors = errors
        state = ProcessState(identifier)
    }

    deinit {
        state.signal(SIGKILL)
    }

    /// Sends a signal, unless the process has ended.
    public func signal(_ number: Int32) {
        state.signal(number)
    }

    /// Writes to standard input; waits while the pipe is full. Throws when the process reads no more.
    public func send(_ bytes: [UInt8]) throws(Errno) {
        try input.send(bytes)
    }

    public func send(_ text: String) throws(Errno) {
        try send(Array(text.utf8))
    }

    public func closeInput() {
        input.close()
    }

    /// Waits for the end.
    @discardableResult
    public func waitForEnd() throws -> ProcessEnd {
        guard let end = state.wait() else {
            let (said, complained) = (output.text.suffix(500), errors.text.suffix(500))
            throw DeadlinePassed(description: "process \(identifier) does not end; it said: \(said)\(complained)")
        }
        return end
    }

    public var hasEnded: Bool { state.hasEnded }
}

extension ChildProcess {
    /// The environment, but without Swift's crash reporter: it holds a dying program's pipes open for minutes.
    private static func environment() -> [UnsafeMutablePointer<CChar>?] {
        var words: [UnsafeMutablePointer<CChar>?] = []
        var entry = Glibc.environ
        while let word = entry.pointee {
            if strncmp(word, "SWIFT_BACKTRACE=", 16) != 0 { words.append(strdup(word)) }
            entry += 1
        }
        return words + [strdup("SWIFT_BACKTRACE=enable=no"), nil]
    }

    private static func spawn(_ arguments: [String], descriptors: (Int32, Int32, Int32)) throws(Errno) -> Int32 {
        try spawn(arguments, flags: 0) { actions in
            posix_spawn_file_actions_adddup2(&actions, descriptors.0, 0)
            posix_spawn_file_actions_adddup2(&actions, descriptors.1, 1)
            posix_spawn_file_actions_adddup2(&actions, descriptors.2, 2)
        }
    }

    private static func spawn(_ arguments: [String], terminal: String) throws(Errno) -> Int32 {
        // The first terminal that the leader of a new session opens becomes the session's.
        try spawn(arguments, flags: 0x80 /* POSIX_SPAWN_SETSID, which <spawn.h> hides from Swift */) { actions in
            posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
            posix_spawn_file_actions_adddup2(&actions, 0, 2)
        }
    }

    private static func spawn(
        _ arguments: [String], flags: Int32, _ prepare: (inout posix_spawn_file_actions_t) -> Void
    ) throws(Errno) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        prepare(&actions)
        // Whatever the test run blocks or ignores is its own affair.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | flags))

        let words = arguments.map { strdup($0) } + [nil]
        let environment = environment()
        defer { for word in words + environment { free(word) } }
        var identifier: Int32 = 0
        let result = posix_spawnp(&identifier, arguments[0], &actions, &attributes, words, environment)
        guard result == 0 else { throw Errno(rawValue: result) }
        return identifier
    }
}

@inline(__always)
private func once(_ call: () -> Int32) throws(Errno) -> Int32 {
    let result = call()
    if result == -1 { throw Errno.current }
    return result
}
