import LinuxSystem
import Virtio

/// The socket device at work: all connections, between the guest's queues and the host's sockets. On the loop's thread, or
/// before the loop runs.
///
/// Handlers of sockets and queues only note what can be done; once they all have, `round` does it: first what the guest
/// has sent, at most one ring of it, then what it is to be sent, at most one ring again, each connection in its turn. A queue
/// without buffers, a connection without credit and a socket that is full wait for an event of theirs; nothing is tried
/// again before.
final class VsockEngine: @unchecked Sendable {
    // Sound: used on the loop's thread only, but for `watches`, which does not change.
    let guestCID: UInt64
    let host: VsockListeners
    let loop: EventLoop
    let limits: VsockLimits
    private let timer: OneShotTimer
    private var timerDue: UInt64 = .max
    /// Of the timer and the listeners. Not changed after `init`.
    private(set) var watches: [EventLoop.Token] = []
    var listenerWatches: ArraySlice<EventLoop.Token> { watches.dropFirst() }
    /// When listeners that are not watched, for lack of descriptors, are to be watched again.
    var listeningAgain: UInt64 = .max

    /// Whether the guest's queues are not to be touched.
    var isSuspended = false {
        didSet { guest?.isSuspended = isSuspended }
    }
    /// The queues of a driver that is ready; nil when there is none.
    private(set) var guest: GuestQueues?

    /// Whom the guest knows, by both ports.
    var table: [UInt64: VsockConnection] = [:]
    /// All of them: this is what owns a connection.
    private(set) var everyone: [ObjectIdentifier: VsockConnection] = [:]
    let handshakes = ConnectionList()
    let dialing = ConnectionList()
    /// Closed by the host, waiting for the guest to agree: the one with the first deadline first.
    let closing = ConnectionList()
    /// Those with something for the guest, in turn.
    let ready = ConnectionList()
    var nextHostPort = VsockEngine.firstHostPort

    /// Host-side ports of the host's connections: where nobody listens by habit.
    static let firstHostPort: UInt32 = 1 << 30
    /// How long a connection that the host has closed waits for the guest's RST, in nanoseconds, as Linux does.
    static let closeTimeout: UInt64 = 8_000_000_000

    init(guestCID: UInt64, host: VsockListeners, loop: EventLoop, limits: VsockLimits) throws(Errno) {
        self.guestCID = guestCID
        self.host = host
        self.loop = loop
        self.limits = limits
        timer = try OneShotTimer()
        // Weak, here and elsewhere: the loop keeps its handlers, and this object keeps the loop.
        watches = [try loop.watch(timer.raw, for: .readable) { [weak self] _ in self?.takeTimer() }]
        for entry in host.entries { watches.append(try watch(entry)) }
        loop.afterRound = { [weak self] in self?.round() ?? false }
    }

    // MARK: Driver

    func start(_ context: DeviceContext) {
        // One that has only stood still has its queues already.
        if isSuspended, guest != nil { return isSuspended = false }
        isSuspended = false
        guard let queues = GuestQueues(context, loop, guestCID: guestCID) else { return context.interrupt.fail() }
        guest = queues
    }

    /// The guest is gone: so are its connections. Clients that have not named a port may go on.
    func stop() {
        isSuspended = false
        guest?.end(loop)
        guest = nil
        for connection in Array(everyone.values) where connection.state != .handshake { close(connection) }
    }

    /// After all handlers; true when there is more to do at once.
    private func round() -> Bool {
        guard let guest, !isSuspended else { return false }
        do throws(QueueError) {
            if guest.mayHavePackets { try receivePackets(guest) }
            try sendPackets(guest)
            guest.notify()
            let canReceive = guest.mayHavePackets && guest.resets.hasRoom
            return canReceive || !guest.isStarved && !(ready.isEmpty && guest.resets.isEmpty)
        } catch {
            stop()
            guest.interrupt.fail()
            return false
        }
    }

    // MARK: Connections

    /// A new connection; nil when there are as many as there may be.
    func add(_ state: VsockConnection.State, _ socket: consuming UnixStream) -> VsockConnection? {
        guard everyone.count < limits.connections else { return nil }
        let connection = VsockConnection(state, socket, allocation: VsockLimits.allocation(existing: everyone.count))
        everyone[ObjectIdentifier(connection)] = connection
        return connection
    }

    /// Whether there is something for the guest now: puts the connection into its queue.
    @inline(__always)
    func noteReady(_ connection: VsockConnection) {
        if connection.isReady { ready.append(connection.readyNode) }
    }

    /// Lets go of the host's end.
    private func hangUp(_ connection: VsockConnection) {
        if let watch = connection.watch { loop.forget(watch) }
        connection.watch = nil
        connection.socket = nil
        connection.buffer.removeAll()
        connection.waitingNode.leave()
    }

    /// The end of a connection of which the guest knows nothing, or nothing any more.
    func close(_ connection: VsockConnection) {
        hangUp(connection)
        forgetPorts(connection)
        connection.readyNode.leave()
        connection.state = .closed
        everyone[ObjectIdentifier(connection)] = nil
    }

    func forgetPorts(_ connection: VsockConnection) {
        if table[connection.key] === connection { table[connection.key] = nil }
    }

    /// Ends a connection at once, and tells the guest.
    func reset(_ connection: VsockConnection) {
        switch connection.state {
        case .closed: return
        case .handshake, .draining: return close(connection)
        // A guest that has not been told of the connection need not be told of its end.
        case .connecting where connection.replies.contains(.request): return close(connection)
        case .connecting, .dialing, .established, .resetting: break
        }
        hangUp(connection)
        connection.replies = []
        connection.state = .resetting
        noteReady(connection)
    }

    // MARK: Time

    /// Makes sure that `takeTimer` runs at that time or earlier.
    func wake(at time: UInt64, now: UInt64) {
        guard time < timerDue else { return }
        timerDue = time
        timer.arm(nanoseconds: time > now ? time - now : 1)
    }

    private func takeTimer() {
        timer.take()
        timerDue = .max
        let now = Clock.monotonicNanoseconds()
        listenAgain(now)
        dialAgain(now)
        while let connection = closing.first, connection.deadline <= now { reset(connection) }
        if let first = closing.first { wake(at: first.deadline, now: now) }
    }

    /// From now on the connection has a limited time to live.
    func startClosing(_ connection: VsockConnection) {
        guard connection.waitingNode.list == nil else { return }
        let now = Clock.monotonicNanoseconds()
        connection.deadline = now + Self.closeTimeout
        closing.append(connection.waitingNode)
        wake(at: connection.deadline, now: now)
    }
}
