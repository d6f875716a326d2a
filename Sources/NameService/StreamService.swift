import LinuxSystem

/// Questions by TCP (RFC 7766), to all addresses. On the loop's thread.
final class StreamService {
    /// Nanoseconds without new connections where there is no descriptor for one.
    private static let pause: UInt64 = 100_000_000

    private let loop: EventLoop
    private let deadlines: Deadlines
    private let desk: QuestionDesk
    private let buffer: ReceiveBuffer
    private let configuration: NameServerConfiguration
    private var listeners: [Listener] = []
    private var connections: [ObjectIdentifier: StreamClient] = [:]

    private final class Listener {
        let socket: StreamListener
        var token: EventLoop.Token?

        init(_ endpoint: InternetEndpoint) throws(Errno) {
            socket = try StreamListener(boundTo: endpoint)
        }
    }

    init(_ loop: EventLoop, _ deadlines: Deadlines, _ desk: QuestionDesk, _ buffer: ReceiveBuffer,
         _ configuration: NameServerConfiguration) {
        (self.loop, self.deadlines, self.desk, self.buffer, self.configuration) = (loop, deadlines, desk, buffer, configuration)
    }

    func listen(at endpoint: InternetEndpoint) throws(Errno) {
        let listener = try Listener(endpoint)
        try watch(listener)
        listeners.append(listener)
    }

    func close() {
        for listener in listeners { forget(listener) }
        listeners = []
        for connection in connections.values { connection.close() }
        connections = [:]
    }

    private func watch(_ listener: Listener) throws(Errno) {
        listener.token = try loop.watch(listener.socket.raw, for: .readable) { [unowned self, unowned listener] _ in accept(listener) }
    }

    private func forget(_ listener: Listener) {
        if let token = listener.token { loop.forget(token) }
        listener.token = nil
    }

    private func accept(_ listener: Listener) {
        do throws(Errno) {
            // As many as may be open, so that nobody who opens more keeps the loop.
            for _ in 0..<configuration.limits.connections {
                guard let accepted = try listener.socket.accept() else { return }
                let peer = accepted.peer
                admit(accepted.take(), peer.address)
            }
        } catch {
            // No descriptor, or no memory, for a connection, which would stay and make the loop spin.
            forget(listener)
            _ = deadlines.add(after: Self.pause) { [weak self, weak listener] in
                if let self, let listener, listener.token == nil { try? watch(listener) }
            }
        }
    }

    private func admit(_ stream: consuming UnixStream, _ peer: InternetAddress) {
        let client = desk.client(at: peer)
        let limits = configuration.limits
        guard connections.values.count(where: { desk.client(at: $0.peer) == client }) < limits.connectionsPerClient else { return }
        if connections.count >= limits.connections, let idle = connections.values.min(by: { $0.lastUse < $1.lastUse }) { idle.end() }
        let connection = StreamClient(loop, deadlines, stream, peer, desk, buffer, configuration) { [weak self] ended in
            self?.connections[ObjectIdentifier(ended)] = nil
        }
        guard (try? connection.start()) != nil else { return connection.close() }
        connections[ObjectIdentifier(connection)] = connection
    }
}
