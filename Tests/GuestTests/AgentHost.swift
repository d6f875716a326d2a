import AgentProtocol
import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

/// The host's side of a container: a machine with the guest agent in it, and what the agent has said.
///
/// One thread: whoever waits for something moves everything else that can move meanwhile.
final class AgentHost {
    let process: ChildProcess
    private let directory = TemporaryDirectory()
    private let state: String
    private let controlListener: UnixListener
    private let streamListener: UnixListener
    private var control: Int32 = -1
    private var received: [UInt8] = []
    private var lastRequest: UInt32 = 0
    private var lastToken: UInt64 = 0
    private(set) var streams: [UInt64: HostStream] = [:]

    /// Milliseconds since the guest's boot, of its `hello`.
    private(set) var bootMilliseconds: UInt32?
    private var replies: [UInt32: AgentReply] = [:]
    private(set) var exits: [UInt32: ProcessExit] = [:]
    private(set) var isStopping = false
    private(set) var outOfMemoryCount: UInt32 = 0
    private(set) var notes: [String] = []
    private(set) var kernelLog = ""
    /// Whether the agent has ended the connection.
    private(set) var hasEnded = false

    struct ProcessExit: Equatable {
        var status: UInt8
        var wasOutOfMemory: Bool
    }

    /// Boots the agent and waits for its `hello`.
    init(_ options: [String] = [], memory: String = "256M") throws {
        state = directory.makeDirectory("state")
        controlListener = try UnixListener(path: "\(state)/vsock.sock_\(AgentChannel.controlPort)")
        streamListener = try UnixListener(path: "\(state)/vsock.sock_\(AgentChannel.streamPort)", backlog: 128)
        try controlListener.setNonBlocking()
        try streamListener.setNonBlocking()
        process = try ChildProcess(
            [Guest.svmm, "boot", "--kernel", variable("SVMM_KERNEL"), "--initrd", variable("SVMM_AGENT"), "--cmdline", "quiet",
             "--memory", memory, "--vsock", "user", "--state", state, "--grace", "600"] + options)
        try wait("the agent's hello") { bootMilliseconds != nil }
    }

    deinit {
        process.signal(SIGKILL)
        _ = try? process.waitForEnd()
        if control >= 0 { close(control) }
        for name in directoryEntries(state) { unlink("\(state)/\(name)") }
    }

    // MARK: Waiting

    /// Moves everything until `condition` holds.
    func wait(_ what: String, sourceLocation: SourceLocation = #_sourceLocation, until condition: () -> Bool) throws {
        let deadline = Clock.monotonicNanoseconds() + Self.patience
        while !condition() {
            let rest = (Int(deadline) - Int(Clock.monotonicNanoseconds())) / 1_000_000
            guard rest > 0, !process.hasEnded || control >= 0 && !hasEnded else {
                throw TimeoutError(what: """
                    \(what); there were exits \(exits), notes \(notes), of svmm: \(process.errors.text), of the console: \
                    \(process.output.text.suffix(1000))
                    """)
            }
            moveOnce(milliseconds: Int32(clamping: rest))
        }
    }

    private static let patience: UInt64 = (UInt64(variable("SVMM_TEST_PATIENCE")) ?? 60) * 1_000_000_000

    private func moveOnce(milliseconds: Int32) {
        var entries = [pollfd(fd: controlListener.raw, events: Int16(POLLIN), revents: 0),
                       pollfd(fd: streamListener.raw, events: Int16(POLLIN), revents: 0)]
        if control >= 0, !hasEnded { entries.append(pollfd(fd: control, events: Int16(POLLIN), revents: 0)) }
        for stream in streams.values {
            if let entry = stream.entry { entries.append(entry) }
        }
        // A second at the most: the end of svmm itself is no event here.
        guard poll(&entries, nfds_t(entries.count), min(milliseconds, 1000)) > 0 else { return }
        for entry in entries where entry.revents != 0 {
            if entry.fd == controlListener.raw {
                if let new = try? controlListener.accept() { control = new.release() }
            } else if entry.fd == streamListener.raw {
                acceptStream()
            } else if entry.fd == control {
                readControl()
            } else {
                streams.values.first { $0.file == entry.fd }?.move(Int32(entry.revents))
            }
        }
    }

    private func acceptStream() {
        guard let new = try? streamListener.accept() else { return }
        var token = [UInt8](repeating: 0, count: 8)
        guard recv(new.raw, &token, 8, Int32(MSG_WAITALL)) == 8 else { return }
        let number = token.get(UInt64.self, at: 0)
        streams[number]?.adopt(new.release())
    }

    private func readControl() {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = recv(control, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN { return }
        guard count > 0 else {
            hasEnded = true
            return
        }
        received += chunk[..<count]
        while let size = AgentChannel.size(received.prefix(AgentChannel.headerSize)), received.count >= AgentChannel.headerSize + size {
            let end = AgentChannel.headerSize + size
            let frame = Array(received[AgentChannel.headerSize..<end])
            received.removeFirst(end)
            do {
                take(try AgentMessage(decoding: frame))
            } catch {
                Issue.record("a message of the agent that is none: \(error)")
            }
        }
    }

    private func take(_ message: AgentMessage) {
        switch message {
        case .hello(let version, let milliseconds):
            #expect(version == AgentChannel.version)
            bootMilliseconds = milliseconds
        case .reply(let request, let reply): replies[request] = reply
        case .exited(let process, let status, let wasOutOfMemory):
            #expect(exits[process] == nil, "the end of process \(process) is told twice")
            exits[process] = ProcessExit(status: status, wasOutOfMemory: wasOutOfMemory)
        case .stopping: isStopping = true
        case .outOfMemory(let count): outOfMemoryCount = count
        case .note(let text): notes.append(text)
        case .kernelLog(let bytes): kernelLog = String(decoding: bytes, as: UTF8.self)
        case .progress: break
        }
    }

    // MARK: Asking

    /// Sends a request; returns its number.
    func send(_ request: AgentRequest) throws -> UInt32 {
        lastRequest += 1
        let frame = request.frame(lastRequest)
        #expect(frame.withUnsafeBytes { Glibc.send(control, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) } == frame.count)
        return lastRequest
    }

    func reply(_ request: UInt32, _ what: String = "reply") throws -> AgentReply {
        try wait(what) { replies[request] != nil }
        let found = replies.removeValue(forKey: request)
        return try #require(found)
    }

    func ask(_ request: AgentRequest) throws -> AgentReply {
        try reply(send(request), "\(request)")
    }

    func setUp(_ configuration: SandboxConfiguration, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try ask(.setUp(configuration)) == .done, sourceLocation: sourceLocation)
    }

    /// A stream that the agent is to connect, and its token.
    func makeStream(_ input: [UInt8] = []) -> (token: UInt64, stream: HostStream) {
        lastToken += 1
        let stream = HostStream(input)
        streams[lastToken] = stream
        return (lastToken, stream)
    }

    /// Ends the connection, as a monitor does that dies.
    func disconnect() {
        close(control)
        control = -1
        hasEnded = true
    }

    /// A frame that is no request.
    func sendNonsense() throws {
        let bytes: [UInt8] = [4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]
        #expect(bytes.withUnsafeBytes { Glibc.send(control, $0.baseAddress, $0.count, 0) } == bytes.count)
    }

    func forget(_ token: UInt64) {
        streams.removeValue(forKey: token)
    }

    func takeExit(_ process: UInt32) throws -> ProcessExit {
        try wait("the end of process \(process)") { exits[process] != nil }
        let found = exits.removeValue(forKey: process)
        return try #require(found)
    }
}

/// One byte stream to or from the guest. What comes is kept.
final class HostStream {
    fileprivate(set) var file: Int32 = -1
    private var input: [UInt8]
    private var sent = 0
    /// Made once: where nothing is optimized, an array is filled byte by byte.
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
    private var hasSentEnd = false
    /// Whether the end of what is sent is told when all is sent.
    var endsInput = true
    /// While false nothing is read.
    var isRead = true
    fileprivate(set) var received: [UInt8] = []
    fileprivate(set) var hasEnded = false
    /// Whether the guest takes no more.
    fileprivate(set) var isRefused = false

    init(_ input: [UInt8]) {
        self.input = input
    }

    deinit {
        if file >= 0 { close(file) }
        scratch.deallocate()
    }

    var text: String { String(decoding: received, as: UTF8.self) }

    var isConnected: Bool { file >= 0 }

    func send(_ text: String) {
        input += Array(text.utf8)
    }

    func hangUp() {
        if file >= 0 { close(file) }
        file = -1
        hasEnded = true
        isRefused = true
    }

    fileprivate func adopt(_ new: Int32) {
        file = new
    }

    private var wantsToSend: Bool { !isRefused && !hasSentEnd && (sent < input.count || endsInput) }

    fileprivate var entry: pollfd? {
        let events = (isRead && !hasEnded ? POLLIN : 0) | (wantsToSend ? POLLOUT : 0)
        return file >= 0 && events != 0 ? pollfd(fd: file, events: Int16(events), revents: 0) : nil
    }

    fileprivate func move(_ events: Int32) {
        if wantsToSend, events & (POLLOUT | POLLERR | POLLHUP) != 0 {
            if sent == input.count {
                shutdown(file, Int32(SHUT_WR))
                hasSentEnd = true
            } else {
                let count = input[sent...].withUnsafeBytes {
                    Glibc.send(file, $0.baseAddress, min($0.count, 1 << 18), Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                }
                if count > 0 { sent += count } else if errno != EAGAIN { isRefused = true }
            }
        }
        if isRead, !hasEnded, events & (POLLIN | POLLERR | POLLHUP) != 0 {
            let count = recv(file, scratch.baseAddress, scratch.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                received.append(contentsOf: UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            } else if count == 0 || errno != EAGAIN {
                // A guest that left input unread resets the connection, after all that it has sent.
                hasEnded = true
            }
        }
    }
}
