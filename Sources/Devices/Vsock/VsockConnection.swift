import LinuxSystem

/// One connection, from its first word to its last. For the device's thread.
///
///     handshake ──CONNECT──► connecting ──RESPONSE──► established ──RST──► draining ──► (closed)
///                                                       ▲      │
///                              dialing ──connected──────┘      └──our RST──► resetting ──sent──► (closed)
final class VsockConnection {
    enum State {
        /// A client of the CONNECT socket that has not named a port yet. Unknown to the guest.
        case handshake
        /// The guest's, waiting for room in the backlog of the host's listener.
        case dialing
        /// The host's, waiting for the guest's answer.
        case connecting
        case established
        /// The guest is to be told by RST; the host socket is closed.
        case resetting
        /// The guest has done with it; the host socket has not yet taken everything. Unknown to the guest.
        case draining
        case closed
    }

    /// What the guest is to be sent; flags, so that no guest and no client can make them many.
    struct Reply: OptionSet {
        let rawValue: UInt8

        static let request = Reply(rawValue: 1)
        static let response = Reply(rawValue: 2)
        static let creditUpdate = Reply(rawValue: 4)
    }

    var state: State
    var hostPort: UInt32 = 0
    var guestPort: UInt32 = 0
    /// When a state that ends by itself does so, on the monotonic clock in nanoseconds.
    var deadline: UInt64 = 0
    /// Whether the client is told `OK` when the guest has accepted.
    var wantsAnswer = false

    var socket: UnixStream?
    var watch: EventLoop.Token?
    /// Whether the host socket may hold something, its end included. Set by epoll, cleared by a read that finds nothing.
    var isReadable = false
    /// Whether the host socket may take something. Set by epoll, cleared by a write that was cut short.
    var isWritable = true
    /// epoll has told of the end of the host's stream, and does so only once: whether it has been reached, a read must tell.
    var mayHaveEnded = false
    /// Nothing more will come from the host.
    var hostHasEnded = false
    /// The host takes nothing more: what the guest sends is dropped.
    var hostIsDeaf = false
    /// The host's end is closed altogether.
    var hostIsGone = false

    var replies: Reply = []
    /// What the guest has said it will not do any more, and what it has been told of the host.
    var guestShutdown: VsockShutdown = []
    var toldShutdown: VsockShutdown = []

    // From the guest: what the host socket has not taken, and the guest's credit. Counts are modulo 2^32.
    var buffer: StreamBuffer
    var forwardedCount: UInt32 = 0
    /// `forwardedCount` as the guest knows it.
    var announcedCount: UInt32 = 0

    // To the guest: our credit.
    private var sentCount: UInt32 = 0
    private var peerAllocation: UInt32 = 0
    private var peerForwarded: UInt32 = 0
    /// How many of the guest's buffers are filled by one read: grows while the host socket fills them all.
    var window = 1

    private(set) lazy var readyNode = ConnectionList.Node(self)
    private(set) lazy var waitingNode = ConnectionList.Node(self)

    /// - Parameter allocation: bytes of buffer for what the guest sends.
    init(_ state: State, _ socket: consuming UnixStream, allocation: Int) {
        self.state = state
        self.socket = consume socket
        buffer = StreamBuffer(capacity: allocation)
    }

    /// For epoll; -1 when there is no socket.
    var socketNumber: Int32 { socket?.raw ?? -1 }

    var key: UInt64 { Self.key(hostPort: hostPort, guestPort: guestPort) }

    static func key(hostPort: UInt32, guestPort: UInt32) -> UInt64 {
        UInt64(hostPort) << 32 | UInt64(guestPort)
    }

    // MARK: Credit (virtio 1.2, 5.10.6.3)

    /// Bytes that the guest has room for.
    var credit: Int {
        let inFlight = sentCount &- peerForwarded
        return inFlight < peerAllocation ? Int(peerAllocation - inFlight) : 0
    }

    func noteCredit(_ packet: VsockPacket) {
        peerAllocation = packet.bufferAllocation
        peerForwarded = packet.forwardedCount
    }

    func noteSent(_ count: Int) {
        sentCount &+= UInt32(truncatingIfNeeded: count)
    }

    /// Bytes of the guest's stream have left for the host, or nowhere: room for more, of which the guest is told before it
    /// has used up half of what it knows.
    func noteForwarded(_ count: Int) {
        forwardedCount &+= UInt32(truncatingIfNeeded: count)
        if forwardedCount &- announcedCount >= UInt32(buffer.capacity / 2) { replies.insert(.creditUpdate) }
    }

    // MARK: What there is to do

    /// Whether the host socket may be read for the guest.
    var canRead: Bool {
        state == .established && isReadable && !hostHasEnded && !guestShutdown.contains(.receiving) && credit > 0
    }

    /// What the guest should have been told of the host by now.
    var dueShutdown: VsockShutdown {
        guard state == .established else { return [] }
        var due: VsockShutdown = hostIsDeaf ? .receiving : []
        // A guest that does not listen need not wait for the end of what it will not read.
        if hostHasEnded || hostIsGone && guestShutdown.contains(.receiving) { due.insert(.sending) }
        return due
    }

    /// Whether something is to be sent to the guest, and can be once it has a buffer for it.
    var isReady: Bool {
        switch state {
        case .resetting: true
        case .connecting: !replies.isEmpty
        case .established: !replies.isEmpty || canRead || dueShutdown != toldShutdown
        case .handshake, .dialing, .draining, .closed: false
        }
    }
}
