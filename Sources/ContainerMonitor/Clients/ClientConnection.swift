import ContainerProtocol
import LinuxSystem
import Wire

/// Who handles what clients say.
protocol ClientHandler: AnyObject {
    /// Whether the next message of a client may be taken now; otherwise it waits until `ClientConnection.proceed`.
    func mayTakeMessage(of client: ClientConnection) -> Bool
    func take(_ message: ClientMessage, from client: ClientConnection)
    /// It has gone, or is no longer wanted.
    func hasEnded(_ client: ClientConnection)
    /// It reads what it had not.
    func hasRoom(_ client: ClientConnection)
    /// Nothing waits for it any more.
    func hasReadAll(_ client: ClientConnection)
}

/// One connection of a client. What it is sent waits here until it reads, at most a little more than `limit`: whoever sends streams
/// asks `isFull` first.
final class ClientConnection {
    /// What the client is in the middle of.
    enum Activity {
        case nothing
        /// A request has been passed on; the next message is taken after its answer.
        case asking
        /// `attach` or `detach` (nil) before the main process runs.
        case waitingForStart(AttachedStreams?)
        /// A session with the main process or another one.
        case process(GuestProcess, AttachedStreams)
        case archive(GuestStream)
        case extract(GuestStream)
        case waitingForEnd
    }

    var activity = Activity.nothing
    var hasPromisedCleanup = false
    /// Messages of a session that wait for the agent's answer: at most one.
    var isSignalling = false
    private(set) var isOver = false
    /// Bytes that the client has read so far: whether it does anything.
    private(set) var sentCount: UInt64 = 0

    private let socket: WatchedSocket
    private weak var handler: (any ClientHandler)?
    private var frames = FrameQueue()
    private var unsent = ByteQueue()
    private var hasStoppedSending = false
    private var needsMore = true
    private var isProceeding = false
    private var endsWhenSent = false

    private static let limit = 256 << 10
    private static let chunk = 64 << 10
    private static let chunksInTurn = 4

    init(_ stream: consuming UnixStream, _ loop: EventLoop, _ handler: any ClientHandler) {
        self.handler = handler
        socket = WatchedSocket(stream, loop)
        socket.handler = { [weak self] in self?.handle($0) }
        socket.watch(for: .readable)
    }

    /// Whether it has to read before it is sent more of a stream.
    var isFull: Bool { !isOver && unsent.count >= Self.limit }
    var hasUnsent: Bool { !isOver && !unsent.isEmpty }
    var isBetweenRequests: Bool { if case .nothing = activity { true } else { false } }
    /// Whether nothing is lost with it.
    var isIdle: Bool { isBetweenRequests && !hasPromisedCleanup }

    func send(_ message: MonitorMessage) {
        guard !isOver else { return }
        unsent.append(message.frame)
        flush()
    }

    /// Sends a part of a stream in one message or more.
    func send(_ bytes: UnsafeRawBufferPointer, _ kind: OutputKind) {
        var rest = bytes[...]
        while !rest.isEmpty, !isOver {
            let part = Array(rest.prefix(ContainerChannel.maximumPart))
            rest = rest.dropFirst(part.count)
            send(kind == .output ? .output(part) : .errors(part))
        }
    }

    /// The last word of what the client was in the middle of.
    func finish(with message: MonitorMessage) {
        activity = .nothing
        isSignalling = false
        send(message)
        proceed()
    }

    /// Takes messages that may be taken now.
    func proceed() {
        guard !isProceeding else { return }
        isProceeding = true
        while !isOver, handler?.mayTakeMessage(of: self) == true, takeNext() {}
        isProceeding = false
        updateWatch()
    }

    /// Ends the connection once all is sent.
    func endWhenSent() {
        endsWhenSent = true
        if unsent.isEmpty { end() }
    }

    func end() {
        guard !isOver else { return }
        isOver = true
        socket.close()
        handler?.hasEnded(self)
    }

    /// Whether there was one.
    private func takeNext() -> Bool {
        guard !endsWhenSent else { return false }
        switch frames.next() {
        case .incomplete:
            needsMore = true
            return false
        case .invalid(let size):
            refuse("a message of \(size) bytes")
        case .frame(let bytes):
            do throws(WireError) {
                handler?.take(try ClientMessage(decoding: bytes), from: self)
            } catch {
                refuse("what is no message of this version of svmm (\(error))")
            }
        }
        return true
    }

    /// Ends the connection of a client that does not keep to the protocol.
    func refuse(_ what: String) {
        hasStoppedSending = true
        needsMore = false
        send(.failed(status: 125, "the client sent \(what)"))
        endWhenSent()
    }

    private func handle(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        guard !isOver else { return }
        if !readiness.isDisjoint(with: [.readable, .hangUp, .error]) { receive() }
        guard !isOver else { return }
        // What it said before it left is taken first, as far as it can be at all.
        let isGone = !readiness.isDisjoint(with: [.hangUp, .error]) && (hasStoppedSending || !needsMore)
        let hasNothingToWaitFor = hasStoppedSending && isIdle && unsent.isEmpty
        if isGone || hasNothingToWaitFor { return end() }
        updateWatch()
    }

    private func receive() {
        for _ in 0..<Self.chunksInTurn where needsMore && !hasStoppedSending && !isOver {
            let count = withUnsafeTemporaryAllocation(byteCount: Self.chunk, alignment: 1) { buffer -> Int? in
                let count: Int?
                do throws(Errno) { count = try socket.receive(into: buffer) } catch { count = 0 }
                if let count { frames.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
                return count
            }
            guard let count else { return }
            guard count > 0 else {
                hasStoppedSending = true
                return
            }
            needsMore = false
            proceed()
        }
    }

    private func flush() {
        let wasFull = isFull
        let before = unsent.count
        do throws(Errno) {
            try socket.send(&unsent)
        } catch {
            return end()
        }
        sentCount &+= UInt64(before - unsent.count)
        updateWatch()
        if wasFull, !isFull { handler?.hasRoom(self) }
        guard unsent.isEmpty, before > 0 else { return }
        if endsWhenSent { end() } else { handler?.hasReadAll(self) }
    }

    private func updateWatch() {
        guard !isOver else { return }
        var wanted: Readiness = []
        if needsMore, !hasStoppedSending { wanted.insert(.readable) }
        if !unsent.isEmpty { wanted.insert(.writable) }
        socket.watch(for: wanted)
        if !socket.isOpen { end() }
    }
}

extension ClientConnection: OutputSink {
    func take(_ bytes: UnsafeRawBufferPointer, _ kind: OutputKind) {
        guard case .process(_, let streams) = activity else { return }
        if streams.contains(kind == .output ? .output : .errors) { send(bytes, kind) }
    }
}
