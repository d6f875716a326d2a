import LinuxSystem
import Synchronization

/// The network behind a device: made before the machine starts, and used again by the next one when it restarts. From any thread.
public final class NetworkBackend: Sendable {
    /// As the user knows it, for messages: an option.
    public let name: String
    /// Queue pairs at the most.
    public let maximumPairs: Int
    let offloads: NetworkFeatures
    private let state: Mutex<State>

    private struct State {
        /// One for each pair of queues; none: the other side has gone.
        var ports: [NetworkPort]
        /// Whether the user wants the link.
        var isWanted = true
        var observer: (@Sendable () -> Void)?
    }

    /// - Parameters:
    ///   - ports: one for each pair of queues.
    ///   - offloads: what the kernel can do for the guest and leave to it.
    public init(name: String, ports: [NetworkPort], offloads: TapOffloads = []) {
        self.name = name
        maximumPairs = max(ports.count, 1)
        self.offloads = NetworkFeatures(offloads)
        state = Mutex(State(ports: ports))
    }

    /// Whether frames can go.
    public var isUp: Bool { state.withLock { $0.isWanted && !$0.ports.isEmpty } }

    /// What pair `index` is served from; nil while the link is down for good or for now.
    func port(_ index: Int) -> NetworkPort? {
        state.withLock { index < $0.ports.count ? $0.ports[index] : nil }
    }

    /// Pulls or puts in the cable.
    public func setLink(up: Bool) { change { $0.isWanted = up } }

    /// The other side is there again.
    public func connect(_ ports: [NetworkPort]) { change { $0.ports = ports } }

    /// The other side has gone.
    public func disconnect() { change { $0.ports = [] } }

    /// The other side of a port has gone; nothing if that is known, or another has come already.
    func lose(_ port: NetworkPort, because reason: String) {
        let isNews = state.withLock { $0.ports.contains { $0 === port } }
        guard isNews else { return }
        disconnect()
        printErrorLine("svmm: \(name): \(reason); the link is down")
    }

    /// Has changes told, on whatever thread makes them; one observer at a time.
    func observe(_ observer: (@Sendable () -> Void)?) {
        state.withLock { $0.observer = observer }
    }

    private func change(_ body: (inout State) -> Void) {
        let observer = state.withLock { (state: inout State) -> (@Sendable () -> Void)? in
            body(&state)
            return state.observer
        }
        observer?()
    }
}
