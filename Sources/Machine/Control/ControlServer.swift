import LinuxSystem
import MachineProtocol

/// A machine's control socket, served by the control loop. For the loop's thread, or before the loop runs.
final class ControlServer {
    private struct Connection {
        let client: ControlClient
        let watch: EventLoop.Token
    }

    /// Answers a request by its second argument, once, now or later.
    typealias Handler = (ControlRequest, @escaping (ControlReply) -> Void) -> Void

    /// Clients at a time: for another one, the one that came first has to go.
    static let maximumClients = 16

    private let listener: UnixListener
    private let loop: EventLoop
    private let handle: Handler
    private let pauseTimer: OneShotTimer
    private var pausing: EventLoop.Token?
    private var listening: EventLoop.Token?
    private var connections: [Connection] = []

    /// How long nobody is accepted when that has failed, for want of descriptors as a rule: a tenth of a second. The client waits in
    /// the socket's queue, which would report it without end.
    private static let pause: UInt64 = 100_000_000

    /// Makes the socket, of which every user of this name may ask anything: only this user may open it.
    init(path: String, loop: EventLoop, _ handle: @escaping Handler) throws(MachineError) {
        do throws(Errno) {
            listener = try UnixListener(path: path)
            pauseTimer = try OneShotTimer()
        } catch {
            throw MachineError(socket: path, error)
        }
        self.loop = loop
        self.handle = handle
    }

    /// Serves from now on.
    func start() throws(Errno) {
        let listening = try loop.watch(listener.raw, for: .readable) { [unowned self] _ in acceptClient() }
        self.listening = listening
        pausing = try loop.watch(pauseTimer.raw, for: .readable) { [unowned self] _ in
            pauseTimer.take()
            try? loop.rearm(listening, for: .readable)
        }
    }

    /// Removes the socket's name, and serves nobody any more.
    func close() {
        listener.removeName()
        for token in [listening, pausing] + connections.map(\.watch) { if let token { loop.forget(token) } }
        listening = nil
        connections = []
    }

    private func acceptClient() {
        if connections.count >= Self.maximumClients { end(connections[0].client) }
        do throws(Errno) {
            let client = try ControlClient(try listener.accept(), handle)
            let watch = try loop.watch(client.raw, for: .readable) { [unowned self] _ in serve(client) }
            client.hasReplied = { [unowned self, unowned client] in serve(client) }
            connections.append(Connection(client: client, watch: watch))
        } catch {
            if let oldest = connections.first { end(oldest.client) }
            guard let listening else { return }
            try? loop.rearm(listening, for: [])
            pauseTimer.arm(nanoseconds: Self.pause)
        }
    }

    private func serve(_ client: ControlClient) {
        guard let connection = connections.first(where: { $0.client === client }) else { return }
        // A client that does not read its reply is not asked for its next word.
        guard client.serve() else { return end(client) }
        let readiness: Readiness = client.isWaiting ? [] : client.hasUnsent ? .writable : .readable
        guard (try? loop.rearm(connection.watch, for: readiness)) != nil else { return end(client) }
    }

    private func end(_ client: ControlClient) {
        guard let index = connections.firstIndex(where: { $0.client === client }) else { return }
        loop.forget(connections.remove(at: index).watch)
    }
}

extension MachineError {
    /// A socket that could not be made at this path.
    init(socket path: String, _ error: Errno) {
        let reason = switch error {
        case .addressInUse: "the path exists and is in use; remove it or choose another"
        case .nameTooLong: "a path of \(path.utf8.count) bytes, expected at most \(UnixListener.maximumPathLength); choose a shorter --state or --name"
        default: "\(error)"
        }
        self.init("\(path): \(reason)")
    }
}
