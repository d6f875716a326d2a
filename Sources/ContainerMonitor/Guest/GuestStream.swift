import LinuxSystem

/// A byte stream that the agent connects: what a process in the guest writes and reads, or an archive.
///
/// Bytes from the guest go to `take` as long as the stream is not paused; what waits for the guest is bounded by whoever asks `hasRoom`
/// before `send`.
final class GuestStream {
    /// By which the agent says which stream it connects.
    let token: UInt64
    var take: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// The guest sends no more; once.
    var ended: () -> Void = {}
    /// There is room for more after there was none.
    var gotRoom: () -> Void = {}
    /// While it is, the guest has to wait.
    var isPaused = true {
        didSet { if isPaused != oldValue { updateWatch() } }
    }
    private(set) var hasEnded = false

    private var socket: WatchedSocket?
    private var isClosed = false
    private var unsent = ByteQueue()
    private var endsAfterUnsent = false
    /// The guest takes nothing more.
    private var isDeaf = false

    /// Bytes for the guest that may wait before others have to.
    private static let sendLimit = 64 << 10
    /// Bytes taken at once, and how often for one event.
    private static let chunk = 64 << 10
    private static let chunksInTurn = 4

    init(token: UInt64) {
        self.token = token
    }

    var isConnected: Bool { socket != nil }

    /// The agent has connected it.
    func connect(_ stream: consuming UnixStream, _ loop: EventLoop) {
        guard socket == nil, !isClosed else { return }
        let socket = WatchedSocket(stream, loop)
        self.socket = socket
        socket.handler = { [weak self] in self?.handle($0) }
        flush()
    }

    /// Whether more may be sent at the moment.
    var hasRoom: Bool { isDeaf || unsent.count < Self.sendLimit }

    /// What the guest no longer reads is dropped.
    func send(_ bytes: [UInt8]) {
        guard !isDeaf, !endsAfterUnsent else { return }
        unsent.append(bytes)
        flush()
    }

    /// The guest reads the end after what was sent.
    func endSending() {
        guard !endsAfterUnsent else { return }
        endsAfterUnsent = true
        flush()
    }

    /// Ends it both ways; what the guest has sent and nobody has taken is dropped.
    func close() {
        isClosed = true
        stopSending()
        socket?.close()
        end()
    }

    private func end() {
        guard !hasEnded else { return }
        hasEnded = true
        ended()
    }

    private func handle(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: [.writable, .hangUp, .error]), !unsent.isEmpty { flush() }
        if !hasEnded, !isPaused { receive() }
        updateWatch()
    }

    private func receive() {
        withUnsafeTemporaryAllocation(byteCount: Self.chunk, alignment: 1) { buffer in
            for _ in 0..<Self.chunksInTurn where !isPaused {
                let count: Int?
                do throws(Errno) { count = try socket?.receive(into: buffer) } catch { count = 0 }
                guard let count else { return }
                guard count > 0 else { return end() }
                take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }

    private func flush() {
        guard let socket else { return }
        let hadRoom = hasRoom
        do throws(Errno) {
            try socket.send(&unsent)
            if endsAfterUnsent, unsent.isEmpty, !isDeaf {
                socket.endSending()
                isDeaf = true
            }
        } catch {
            stopSending()
        }
        updateWatch()
        if !hadRoom, hasRoom { gotRoom() }
    }

    private func stopSending() {
        let hadRoom = hasRoom
        isDeaf = true
        unsent.removeAll()
        if !hadRoom { gotRoom() }
    }

    /// A socket that nothing is wanted from is not watched at all: its hang-up would be reported without end.
    private func updateWatch() {
        guard let socket, socket.isOpen else { return }
        var wanted: Readiness = []
        if !isPaused, !hasEnded { wanted.insert(.readable) }
        if !unsent.isEmpty { wanted.insert(.writable) }
        socket.watch(for: wanted.isEmpty ? nil : wanted)
        if !socket.isOpen { close() }
    }
}
