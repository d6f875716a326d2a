import AgentProtocol
import ContainerProtocol
import LinuxSystem
import TestSupport
import Wire

/// A connected socket on the test's side: it blocks, but not longer than patience lasts.
class Peer {
    let descriptor: FileDescriptor

    init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    func send(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try descriptor.writeAll($0) }
    }

    /// So many bytes; fewer when the other side ends before that.
    func read(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = try readSome(count - bytes.count) else { return bytes }
            bytes += more
        }
        return bytes
    }

    /// What comes next, at most so many bytes; nil at the end.
    func readSome(_ limit: Int) throws -> [UInt8]? {
        try waitUntilReadable(descriptor.raw, "\(limit) bytes")
        var chunk = [UInt8](repeating: 0, count: limit)
        let result = chunk.withUnsafeMutableBytes { bytes in Result { () throws(Errno) in try descriptor.read(into: bytes) } }
        // A reset is an end, too.
        let count = if case .failure(.connectionReset) = result { 0 } else { try result.get() }
        return count == 0 ? nil : Array(chunk[..<count])
    }

    func readToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = try readSome(1 << 16) { bytes += more }
        return bytes
    }

    /// A message without its length; nil at the end.
    func readFrame() throws -> [UInt8]? {
        let header = try read(AgentChannel.headerSize)
        if header.isEmpty { return nil }
        guard let size = AgentChannel.size(header) else { throw TimeoutError(what: "a message, not \(header)") }
        return try read(size)
    }

    /// Whether nothing has come, nor the end.
    var isSilent: Bool { waitForInput(descriptor.raw, or: -1, within: 0) == nil }

    func endSending() throws { try LinuxSystem.endSending(descriptor.raw) }
}

/// The agent's side of the connection with the monitor.
final class FakeAgent: Peer {
    private let path: String

    init(_ path: String) throws {
        self.path = path
        super.init(try .connected(toUnixSocket: "\(path)_\(AgentChannel.controlPort)"))
    }

    func send(_ message: AgentMessage) throws { try send(message.frame) }

    func reply(_ number: UInt32, _ reply: AgentReply = .done) throws { try send(.reply(request: number, reply)) }

    func next() throws -> (number: UInt32, request: AgentRequest) {
        guard let frame = try readFrame() else { throw TimeoutError(what: "a request, not the end") }
        return try AgentRequest.decode(frame)
    }

    /// The next request, which is of a certain kind; it is answered at once.
    func expect<Value>(_ what: String, _ reply: AgentReply = .done, _ find: (AgentRequest) -> Value?) throws -> Value {
        let (number, request) = try next()
        guard let value = find(request) else { throw TimeoutError(what: "\(what), not \(request)") }
        try self.reply(number, reply)
        return value
    }

    func expectSetUp() throws -> SandboxConfiguration {
        try expect("setUp") { if case .setUp(let sandbox) = $0 { sandbox } else { nil } }
    }

    func expectStart(_ reply: AgentReply = .done) throws -> ProcessConfiguration {
        try expect("start", reply) { if case .start(let process) = $0 { process } else { nil } }
    }

    /// Reads the requests to set up and to start the main process, and answers none; returns the first one's number.
    func ignoreRequests() throws -> UInt32 {
        let first = try next()
        guard case .setUp = first.request else { throw TimeoutError(what: "setUp, not \(first.request)") }
        let second = try next().request
        guard case .start = second else { throw TimeoutError(what: "start, not \(second)") }
        return first.number
    }

    func expectSignal() throws -> [UInt32] {
        try expect("signal") { if case .signal(let process, let signal) = $0 { [process, UInt32(signal)] } else { nil } }
    }

    func expectShutDown() throws -> Bool {
        try expect("shutDown") { if case .shutDown(let syncs) = $0 { syncs } else { nil } }
    }

    func expectExecute(_ reply: AgentReply = .done) throws -> (UInt32, ProcessConfiguration) {
        try expect("execute", reply) { if case .execute(let number, let process) = $0 { (number, process) } else { nil } }
    }

    /// Sets up and starts.
    func startMain() throws -> ProcessConfiguration {
        _ = try expectSetUp()
        return try expectStart()
    }

    /// Connects a stream.
    func stream(_ token: UInt64) throws -> Peer {
        let peer = Peer(try .connected(toUnixSocket: "\(path)_\(AgentChannel.streamPort)"))
        var encoder = WireEncoder()
        encoder.encode(token)
        try peer.send(encoder.bytes)
        return peer
    }

    /// The main process has written all and ended.
    func endMain(_ status: UInt8, _ streams: Peer...) throws {
        for stream in streams { try stream.endSending() }
        try send(.exited(process: 0, status: status, wasOutOfMemory: false))
    }
}

/// A client's side.
final class FakeClient: Peer {
    func send(_ message: ClientMessage) throws { try send(message.frame) }

    /// nil at the end of the connection.
    func next() throws -> MonitorMessage? {
        try readFrame().map { try MonitorMessage(decoding: $0) }
    }

    func ask(_ message: ClientMessage) throws -> MonitorMessage? {
        try send(message)
        return try next()
    }

    /// Output until another message comes, and that message.
    func readOutput() throws -> (output: [UInt8], errors: [UInt8], end: MonitorMessage?) {
        var (output, errors): ([UInt8], [UInt8]) = ([], [])
        while true {
            switch try next() {
            case .output(let bytes): output += bytes
            case .errors(let bytes): errors += bytes
            case let other: return (output, errors, other)
            }
        }
    }
}
