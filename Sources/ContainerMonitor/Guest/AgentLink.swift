import AgentProtocol
import LinuxSystem

/// Where the guest's agent arrives: the sockets that stand for its ports, its control connection, and the streams that it was asked to
/// connect. They stay when one machine follows another.
final class AgentLink {
    /// Set up once for each agent.
    var connected: (AgentConnection) -> Void = { _ in }
    /// The control connection of the machine that runs; kept when it is over.
    private(set) var connection: AgentConnection?

    private let loop: EventLoop
    private let timers: Timers
    private var control: Acceptor?
    private var streams: Acceptor?
    /// Whether there is a machine whose agent may connect.
    private var isOpen = false
    private var expected: [UInt64: GuestStream] = [:]
    private var nameless: [Nameless] = []

    /// Connections that have not yet said which stream they are. The agent says it at once; other programs of the guest may say nothing.
    private static let maximumNameless = 64

    private final class Nameless {
        let socket: WatchedSocket
        var name: [UInt8] = []

        init(_ socket: WatchedSocket) {
            self.socket = socket
        }
    }

    /// - Parameter path: of the sockets of the vsock device, without the port.
    init(path: String, _ loop: EventLoop, _ timers: Timers) throws(ContainerError) {
        self.loop = loop
        self.timers = timers
        control = try Acceptor(path: "\(path)_\(AgentChannel.controlPort)", loop, timers) { [unowned self] in acceptControl($0) }
        streams = try Acceptor(path: "\(path)_\(AgentChannel.streamPort)", loop, timers) { [unowned self] in acceptStream($0) }
        do throws(Errno) {
            try control?.start()
            try streams?.start()
        } catch {
            throw ContainerError("\(path): the agent's sockets cannot be watched: \(error)")
        }
    }

    /// A machine begins.
    func open() {
        isOpen = true
        connection = nil
    }

    /// The machine is gone: takes what its agent has still said. Streams that are connected stay until they are read to their ends.
    func end() {
        isOpen = false
        connection?.finish()
        streams?.acceptAll()
        for entry in nameless { forget(entry) }
        for stream in expected.values { stream.close() }
        expected = [:]
        control?.refuseWaiting()
    }

    /// Removes the sockets.
    func close() {
        control?.close()
        streams?.close()
        for entry in nameless { forget(entry) }
    }

    /// A new stream for a request to the agent.
    func makeStream() throws(ContainerError) -> GuestStream {
        var token: UInt64 = 0
        repeat {
            do throws(Errno) {
                try Self.fill(&token)
            } catch {
                throw ContainerError("no random number for a stream: \(error)")
            }
        } while token == 0 || expected[token] != nil
        let stream = GuestStream(token: token)
        expected[token] = stream
        return stream
    }

    /// The agent will not connect it.
    func forget(_ stream: GuestStream?) {
        guard let stream else { return }
        expected[stream.token] = nil
        stream.close()
    }

    private static func fill(_ token: inout UInt64) throws(Errno) {
        let result = withUnsafeMutableBytes(of: &token) { bytes in
            Result { () throws(Errno) in try fillWithRandomBytes(bytes) }
        }
        try result.get()
    }

    private func acceptControl(_ stream: consuming UnixStream) {
        // The first is the agent, which runs before anything else does in the guest.
        guard isOpen, connection == nil else { return }
        let connection = AgentConnection(stream, loop)
        self.connection = connection
        connected(connection)
    }

    // MARK: Streams

    private func acceptStream(_ stream: consuming UnixStream) {
        if nameless.count >= Self.maximumNameless { forget(nameless[0]) }
        let entry = Nameless(WatchedSocket(stream, loop))
        nameless.append(entry)
        entry.socket.handler = { [weak self, weak entry] _ in
            if let entry { self?.takeName(entry) }
        }
        takeName(entry)
    }

    private func takeName(_ entry: Nameless) {
        let missing = MemoryLayout<UInt64>.size - entry.name.count
        let count = withUnsafeTemporaryAllocation(byteCount: missing, alignment: 1) { buffer -> Int? in
            let count: Int?
            do throws(Errno) { count = try entry.socket.receive(into: buffer) } catch { count = 0 }
            if let count { entry.name += buffer[..<count] }
            return count
        }
        if count == 0 { return forget(entry) }
        guard count == missing else {
            entry.socket.watch(for: .readable)
            if !entry.socket.isOpen { forget(entry) }
            return
        }
        let token = entry.name.reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        if let stream = expected.removeValue(forKey: token), let socket = entry.socket.take() { stream.connect(socket, loop) }
        forget(entry)
    }

    private func forget(_ entry: Nameless) {
        entry.socket.close()
        nameless.removeAll { $0 === entry }
    }
}
