import LinuxSystem
import Virtio

/// The host's side: listeners, clients, and the sockets of connections.
extension VsockEngine {
    /// Connections that one event of a listener accepts: others shall have their turn.
    private static let acceptLimit = 64
    /// How long listeners rest when the process has no descriptor left.
    private static let listenPause: UInt64 = 100_000_000
    /// How long, and how often, a connection of the guest's waits for room in a listener's backlog.
    private static let dialTimeout: UInt64 = 2_000_000_000
    private static let dialPause: UInt64 = 10_000_000
    private static let dialLimit = 64

    // MARK: Listeners

    func watch(_ entry: VsockListeners.Entry) throws(Errno) -> EventLoop.Token {
        try loop.watch(entry.listener.raw, for: .readable) { [weak self, unowned entry] _ in self?.accept(entry) }
    }

    private func accept(_ entry: VsockListeners.Entry) {
        do throws(Errno) {
            for _ in 0..<Self.acceptLimit {
                guard let socket = try entry.listener.acceptWaiting() else { return }
                admit(socket, guestPort: entry.guestPort)
            }
        } catch {
            // No descriptor or no memory: the client waits in the backlog, which would otherwise report itself for ever.
            for watch in listenerWatches { try? loop.rearm(watch, for: []) }
            let now = Clock.monotonicNanoseconds()
            listeningAgain = now + Self.listenPause
            wake(at: listeningAgain, now: now)
        }
    }

    func listenAgain(_ now: UInt64) {
        guard listeningAgain != .max else { return }
        guard listeningAgain <= now else { return wake(at: listeningAgain, now: now) }
        listeningAgain = .max
        for watch in listenerWatches { try? loop.rearm(watch, for: .readable) }
    }

    private func admit(_ socket: consuming UnixStream, guestPort: UInt32?) {
        if guestPort == nil, handshakes.count >= limits.handshakes, let oldest = handshakes.first { close(oldest) }
        guard let connection = add(.handshake, socket) else { return }
        handshakes.append(connection.waitingNode)
        if let guestPort { connect(connection, guestPort) }
        if connection.state != .closed, !startWatching(connection) { close(connection) }
    }

    private func startWatching(_ connection: VsockConnection) -> Bool {
        connection.watch = try? loop.watch(
            connection.socketNumber, for: [.readable, .peerClosed, .edgeTriggered]
        ) { [weak self, unowned connection] in self?.socketEvent(connection, $0) }
        return connection.watch != nil
    }

    // MARK: The host connects

    /// Looks for the CONNECT line, and takes it, and nothing behind it.
    private func continueHandshake(_ connection: VsockConnection, _ readiness: Readiness) {
        let line = withUnsafeTemporaryAllocation(byteCount: ConnectLine.maximumLength, alignment: 1) { bytes in
            guard let count = try? connection.socket?.peek(into: bytes) else { return ConnectLine.incomplete }
            let line = count > 0 ? ConnectLine(UnsafeRawBufferPointer(rebasing: bytes[..<count])) : .malformed
            guard case .port(_, let length) = line else { return line }
            let taken = try? connection.socket?.receive(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<length]))
            return taken == length ? line : .malformed
        }
        switch line {
        case .port(let port, _):
            connection.wantsAnswer = true
            connect(connection, port)
        case .incomplete where readiness.isDisjoint(with: [.peerClosed, .hangUp, .error]):
            break
        case .incomplete, .malformed:
            close(connection)
        }
    }

    /// Asks the guest to accept a client.
    private func connect(_ connection: VsockConnection, _ guestPort: UInt32) {
        guard guest != nil else { return close(connection) }
        connection.waitingNode.leave()
        connection.guestPort = guestPort
        repeat {
            connection.hostPort = nextHostPort
            nextHostPort = nextHostPort < .max - 1 ? nextHostPort + 1 : Self.firstHostPort
        } while table[connection.key] != nil
        table[connection.key] = connection
        connection.state = .connecting
        connection.isReadable = true
        connection.replies = .request
        noteReady(connection)
    }

    /// The guest has accepted.
    func accepted(_ connection: VsockConnection) {
        connection.waitingNode.leave()
        connection.state = .established
        if connection.wantsAnswer { answer(connection) }
        guard connection.state == .established else { return }
        noteReady(connection)
    }

    private func answer(_ connection: VsockConnection) {
        let line = Array("OK \(connection.hostPort)\n".utf8)
        do throws(Errno) {
            let sent = line.withUnsafeBytes { bytes in
                Result { () throws(Errno) in try connection.socket?.send(bytes) }
            }
            // The first bytes that this socket is given: there is room for them.
            if try sent.get() != line.count { reset(connection) }
        } catch {
            // Gone, but what it has said before is still for the guest.
            hostStopsListening(connection)
        }
    }

    // MARK: The guest connects

    /// A REQUEST of the guest's.
    func dial(_ packet: VsockPacket, _ guest: GuestQueues) {
        guard let path = host.connectPath, let socket = try? UnixStream(), let connection = add(.dialing, socket) else {
            return guest.resets.append(answering: packet)
        }
        connection.hostPort = packet.destinationPort
        connection.guestPort = packet.sourcePort
        connection.noteCredit(packet)
        table[connection.key] = connection
        tryDialing(connection, path)
        guard connection.state == .dialing else { return }
        let now = Clock.monotonicNanoseconds()
        connection.deadline = now + Self.dialTimeout
        dialing.append(connection.waitingNode)
        wake(at: now + Self.dialPause, now: now)
    }

    /// One attempt, after which the state tells.
    private func tryDialing(_ connection: VsockConnection, _ path: String) {
        do throws(Errno) {
            guard try connection.socket?.connect(to: "\(path)_\(connection.hostPort)") == true else { return }
        } catch {
            return reset(connection)
        }
        connection.waitingNode.leave()
        connection.state = .established
        connection.isReadable = true
        connection.replies = .response
        if startWatching(connection) { noteReady(connection) } else { reset(connection) }
    }

    func dialAgain(_ now: UInt64) {
        guard let path = host.connectPath else { return }
        for _ in 0..<min(Self.dialLimit, dialing.count) {
            guard let connection = dialing.first else { return }
            tryDialing(connection, path)
            guard connection.state == .dialing else { continue }
            connection.waitingNode.leave()
            if connection.deadline <= now { reset(connection) } else { dialing.append(connection.waitingNode) }
        }
        if !dialing.isEmpty { wake(at: now + Self.dialPause, now: now) }
    }

    // MARK: Sockets of connections

    func socketEvent(_ connection: VsockConnection, _ readiness: Readiness) {
        if connection.state == .handshake { continueHandshake(connection, readiness) }
        // The event that brought the line may be the only one that tells of the end behind it.
        switch connection.state {
        case .handshake, .dialing, .resetting, .closed: return
        case .connecting, .established, .draining: break
        }
        if !readiness.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) { connection.isReadable = true }
        if !readiness.isDisjoint(with: [.peerClosed, .hangUp, .error]) { connection.mayHaveEnded = true }
        if !readiness.isDisjoint(with: [.hangUp, .error]) {
            connection.hostIsGone = true
            hostStopsListening(connection)
            // What it has said before it left is still for the guest, if that accepts it in time.
            if connection.state == .connecting { startClosing(connection) }
        } else if readiness.contains(.writable) {
            connection.isWritable = true
            drain(connection)
        }
        if connection.state != .closed { noteReady(connection) }
    }

    /// Nothing can be given to the host any more. What the guest has sent, and will send, is dropped.
    func hostStopsListening(_ connection: VsockConnection) {
        guard !connection.hostIsDeaf else { return }
        connection.hostIsDeaf = true
        let dropped = connection.buffer.count
        connection.buffer.removeAll()
        connection.noteForwarded(dropped)
        if connection.state == .draining { return close(connection) }
        if connection.state == .established, connection.guestShutdown == .both { reset(connection) }
    }

    /// Asks to be told when the socket takes more. Not watched for otherwise: the kernel would tell of every read of the
    /// peer's.
    func waitForRoom(_ connection: VsockConnection) {
        connection.isWritable = false
        rearm(connection, [.readable, .writable, .peerClosed, .edgeTriggered])
    }

    private func rearm(_ connection: VsockConnection, _ readiness: Readiness) {
        guard let watch = connection.watch, (try? loop.rearm(watch, for: readiness)) != nil else { return reset(connection) }
    }

    /// Gives the socket what waits for it.
    private func drain(_ connection: VsockConnection) {
        guard connection.buffer.count > 0 else { return }
        while connection.buffer.count > 0 {
            do throws(Errno) {
                let front = connection.buffer.front
                let sent = try connection.socket?.send(front) ?? 0
                connection.buffer.removeFirst(sent)
                connection.noteForwarded(sent)
                if sent < front.count {
                    connection.isWritable = false
                    return
                }
            } catch {
                return hostStopsListening(connection)
            }
        }
        rearm(connection, [.readable, .peerClosed, .edgeTriggered])
        switch connection.state {
        case .draining: close(connection)
        case .established: endSendingIfDone(connection)
        default: break
        }
    }
}
