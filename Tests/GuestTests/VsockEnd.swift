import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

/// One end of connections between guest and host: a process that does what lines of text tell it, and answers each by a line
/// (Tools/guest/Vsock.swift). In the guest it is the scenario `vsock`, whose lines go by the console.
final class VsockEnd {
    private var commands: TypedCommands
    var process: ChildProcess { commands.process }

    init(_ process: ChildProcess) throws {
        commands = TypedCommands(process)
        try begin()
    }

    /// The end that is on the host.
    convenience init() throws {
        try self.init(ChildProcess([variable("SVMM_GUESTS") + "/test-peer"], input: .pipe))
    }

    /// Waits until it listens to commands, for the first time or again.
    func begin() throws { try commands.begin() }

    /// Says what is to be done, and does not wait; one at a time.
    func start(_ command: String) throws { try commands.start(command) }

    /// Waits for the answer to the last command.
    func answer() throws -> String { try commands.answer() }

    func tell(_ command: String) throws -> String {
        try start(command)
        return try answer()
    }

    /// Tells both ends what to do at the same time, and expects what they say.
    static func both(
        _ left: (VsockEnd, String, expects: String), _ right: (VsockEnd, String, expects: String),
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try left.0.start(left.1)
        try right.0.start(right.1)
        #expect(try left.0.answer() == left.2, "\(left.1)", sourceLocation: sourceLocation)
        #expect(try right.0.answer() == right.2, "\(right.1)", sourceLocation: sourceLocation)
    }

    /// Tells what is to be done, and expects that it was.
    func expect(_ command: String, _ expected: String = "ok", sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try tell(command) == expected, "\(command)", sourceLocation: sourceLocation)
    }
}

/// A machine with a socket device, the end in its guest, and one on the host.
final class VsockMachine {
    enum Backend: String, CustomTestStringConvertible {
        case user, vhost
        var testDescription: String { rawValue }
        /// Those that this machine has; without vhost the test of its addresses is reported as skipped.
        static let available: [Backend] = Requirement.hasVhostVsock ? [.user, .vhost] : [.user]
    }

    let backend: Backend
    let guest: VsockEnd
    let host: VsockEnd
    /// Where svmm has its sockets, and the name by which commands know the machine.
    let state: String
    private let directory = TemporaryDirectory()
    let contextID: Int

    /// - Parameters:
    ///   - ports: for `--vsock-ports`.
    ///   - device: what follows `--vsock`; nil: the backend's name.
    init(_ backend: Backend, kernel: Kernel = .vmlinux, device: String? = nil, _ options: [String] = []) throws {
        self.backend = backend
        state = directory.path("state")
        // Descriptors for ten thousand connections: children have what this process has.
        var limit = rlimit(rlim_cur: 32768, rlim_max: 32768)
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        let options = ["--vsock", device ?? backend.rawValue, "--state", state] + options
        guest = try VsockEnd(Guest("vsock", kernel: kernel, options, input: .pipe).process)
        host = try VsockEnd()
        let answer = try guest.tell("cid")
        contextID = try #require(Int(answer.drop { $0 != "=" }.dropFirst()), "\(answer)")
    }

    deinit {
        // What a machine leaves that was killed.
        guest.process.signal(SIGKILL)
        _ = try? guest.process.waitForEnd()
        for name in directoryEntries(state) { unlink("\(state)/\(name)") }
    }

    /// For the host's `open`: a port of the guest.
    func guestPort(_ port: Int) -> String {
        backend == .user ? "user:\(state)/vsock.sock:\(port)" : "vsock:\(contextID):\(port)"
    }

    /// For the host's `listen`: where the guest's connections to `vsock:2:PORT` arrive.
    func hostPort(_ port: Int) -> String {
        backend == .user ? "unix:\(state)/vsock.sock_\(port)" : "vsock:any:\(port)"
    }

    /// Ports that the tests use. Of the host's, with vhost, there is only one of each for all machines.
    static let guestPort = 1000
    static let hostPort = 1_000_001

    /// Connects, from this end or that, once; the ends then hold one connection more.
    func connect(fromHost: Bool) throws {
        let (acceptor, opener) = fromHost ? (guest, host) : (host, guest)
        let (listening, target) = addresses(fromHost: fromHost)
        try acceptor.expect("listen \(listening)")
        try VsockEnd.both((acceptor, "accept 1", expects: "ok"), (opener, "open 1 \(target)", expects: "ok"))
        try stopListening(acceptor)
    }

    func addresses(fromHost: Bool) -> (listening: String, target: String) {
        fromHost ? ("vsock:any:\(Self.guestPort)", guestPort(Self.guestPort))
            : (hostPort(Self.hostPort), "vsock:2:\(Self.hostPort)")
    }

    func stopListening(_ acceptor: VsockEnd) throws {
        try acceptor.expect("unlisten")
        if acceptor === host, backend == .user { unlink("\(state)/vsock.sock_\(Self.hostPort)") }
    }

    /// Linux keeps a closed socket so long, in nanoseconds, when the peer does not confirm the end (VSOCK_CLOSE_TIMEOUT).
    private static let closeTimeout: UInt64 = 8_000_000_000

    /// Waits until both ends and svmm have as many descriptors and sockets as before; and they have them because the ends of
    /// connections were confirmed, not because somebody has stopped waiting for that.
    func waitUntilClean(_ before: (vmm: Int, guest: String), sourceLocation: SourceLocation = #_sourceLocation) throws {
        let start = Clock.monotonicNanoseconds()
        try waitUntil("svmm has closed all connections") { guest.process.openFileCount == before.vmm }
        var count = ""
        do {
            try waitUntil("the guest has closed all connections") {
                count = try guest.tell("count")
                return count == before.guest
            }
        } catch {
            throw DeadlinePassedInGuest(description: "the guest had \(before.guest), and has \(count)")
        }
        let time = Clock.monotonicNanoseconds() - start
        #expect(time < Self.closeTimeout, "in nanoseconds", sourceLocation: sourceLocation)
    }

    func count() throws -> (vmm: Int, guest: String) {
        (guest.process.openFileCount, try guest.tell("count"))
    }

    /// Has the guest power off, and expects that nothing failed.
    func end(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try guest.process.send("quit\n")
        try Finished(guest.process).expect(ok: ["vsock"], sourceLocation: sourceLocation)
    }
}

struct DeadlinePassedInGuest: Error, CustomStringConvertible {
    let description: String
}
