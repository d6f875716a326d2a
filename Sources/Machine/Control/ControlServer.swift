import LinuxSystem
import MachineProtocol

/// A machine's control socket, served by the control loop. For the loop's thread, or before the loop runs.
final class ControlServer {
    private struct Connection {
        let client: ControlClient
        let watch: EventLoop.Token
    }

    /// Clients at a time: for another one, the one that came first has to go.
    static let maximumClients = 16

    private let listener: UnixListener
    private let loop: EventLoop
    private let handle: (ControlRequest) -> ControlReply
    private var connections: [Connection] = []

    /// Makes the socket, of which every user of this name may ask anything: only this user may open it.
    init(path: String, loop: EventLoop, _ handle: @escaping (ControlRequest) -> ControlReply) throws(MachineError) {
        do throws(Errno) {
            listener = try UnixListener(path: path)
        } catch {
            throw MachineError(socket: path, error)
        }
        self.loop = loop
        self.handle = handle
    }

    /// Serves from now on.
    func start() throws(Errno) {
        _ = try loop.watch(listener.raw, for: .readable) { [unowned self] _ in acceptClient() }
    }

    /// Removes the socket's name.
    func close() {
        listener.removeName()
    }

    private func acceptClient() {
        // A connection that cannot be accepted for want of descriptors makes room by ending the oldest.
        if connections.count >= Self.maximumClients { end(connections[0].client) }
        do throws(Errno) {
            let client = try ControlClient(try listener.accept(), handle)
            let watch = try loop.watch(client.raw, for: .readable) { [unowned self] _ in
                if !client.takeInput() { end(client) }
            }
            connections.append(Connection(client: client, watch: watch))
        } catch {
            if let oldest = connections.first { end(oldest.client) }
        }
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
