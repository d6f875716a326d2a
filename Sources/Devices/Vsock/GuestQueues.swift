import LinuxSystem
import Virtio

/// The queues of a driver that is ready, and what is needed to serve them without allocating. For the device's thread.
final class GuestQueues {
    /// To the guest and from the guest.
    let rx: Virtqueue
    let tx: Virtqueue
    let interrupt: DeviceInterrupt
    private var watches: [EventLoop.Token] = []

    /// No buffer was left in the rx queue; a kick tells of new ones.
    private(set) var isStarved = false
    /// Whether the tx queue may hold packets; when not, a kick tells of new ones.
    var mayHavePackets = true
    /// Whether the queues are not to be touched.
    var isSuspended = false
    private var hasUsedRX = false
    private var hasUsedTX = false

    /// Refused packets whose senders are still to be told.
    var resets = PendingResets()
    let chain: DescriptorChain
    /// Buffers that one read fills.
    let chains: [DescriptorChain]
    var vectors = IOVectorList(capacity: GuestQueues.vectorCapacity)
    var batch: PacketBatch

    /// The most chains that one read fills.
    static let windowLimit = 32
    /// What one call takes (UIO_MAXIOV).
    static let vectorCapacity = 1024

    /// nil when the driver has not set up both queues, or they cannot be watched.
    init?(_ context: DeviceContext, _ loop: EventLoop, guestCID: UInt64) {
        guard context.queues.count >= 2, let rx = context.queues[0], let tx = context.queues[1] else { return nil }
        self.rx = rx
        self.tx = tx
        interrupt = context.interrupt
        chain = DescriptorChain(capacity: Int(tx.size))
        chains = (0..<Self.windowLimit).map { _ in DescriptorChain(capacity: Int(rx.size)) }
        batch = PacketBatch(queueSize: Int(tx.size))
        let (rxKick, txKick) = (context.kicks[0], context.kicks[1])
        guard let rxWatch = try? loop.watch(rxKick.raw, for: .readable, { [weak self] _ in
            rxKick.take()
            self?.feed()
        }) else { return nil }
        guard let txWatch = try? loop.watch(txKick.raw, for: .readable, { [weak self] _ in
            txKick.take()
            self?.mayHavePackets = true
        }) else {
            loop.forget(rxWatch)
            return nil
        }
        watches = [rxWatch, txWatch]
        rx.disableKicks()
    }

    func end(_ loop: EventLoop) {
        for watch in watches { loop.forget(watch) }
        watches = []
    }

    private func feed() {
        isStarved = false
        if isSuspended { return }
        rx.disableKicks()
    }

    /// Takes a buffer of the guest's; false when there is none, and from then on until a kick.
    func takeBuffer(_ chain: DescriptorChain) throws(QueueError) -> Bool {
        guard !isStarved else { return false }
        while try !rx.next(chain) {
            guard rx.enableKicks() else {
                isStarved = true
                return false
            }
            rx.disableKicks()
        }
        // A header and at least one byte: a guest whose buffers are smaller would be sent the same stream for ever.
        guard chain.writableCount > VsockPacket.headerSize, chain.readableCount == 0 else { throw .request }
        return true
    }

    /// The buffers taken last are available again: there are some, even where another one was missing.
    func putBack(_ count: Int) {
        guard count > 0 else { return }
        rx.putBack(UInt16(count))
        if isStarved { feed() }
    }

    /// Gives a buffer of the guest's back with a packet whose payload is in place already.
    @inline(__always)
    func push(_ packet: VsockPacket, in chain: DescriptorChain) {
        packet.write(to: chain)
        rx.push(head: chain.head, written: VsockPacket.headerSize + Int(packet.length))
        hasUsedRX = true
    }

    /// Gives a packet's buffer back to the guest.
    @inline(__always)
    func release(head: UInt16) {
        tx.push(head: head, written: 0)
        hasUsedTX = true
    }

    /// Interrupts the guest if it wants to hear of what was used since the last time.
    func notify() {
        var wanted = false
        if hasUsedRX { wanted = rx.shouldNotifyDriver() }
        if hasUsedTX, tx.shouldNotifyDriver() { wanted = true }
        hasUsedRX = false
        hasUsedTX = false
        if wanted { interrupt.notifyUsedBuffers() }
    }
}

/// Consecutive packets with data of one connection, which go to its socket together.
struct PacketBatch: ~Copyable {
    unowned(unsafe) var connection: VsockConnection?
    // Sound: sent, and emptied, before anything else can happen to the connection.
    var vectors = IOVectorList(capacity: GuestQueues.vectorCapacity)
    private(set) var heads: UnsafeMutableBufferPointer<UInt16>
    private(set) var count = 0

    init(queueSize: Int) {
        heads = .allocate(capacity: queueSize)
    }

    deinit {
        heads.deallocate()
    }

    var isFull: Bool { count == heads.count }

    mutating func append(head: UInt16) {
        heads[count] = head
        count += 1
    }

    mutating func removeAll() {
        connection = nil
        vectors.removeAll()
        count = 0
    }
}

/// RSTs for packets of connections that do not exist: as many as fit, after which no packet is taken until the guest has
/// taken one.
struct PendingResets: ~Copyable {
    private let storage: UnsafeMutableBufferPointer<VsockPacket>
    private var start = 0
    private var count = 0

    /// More than a Linux guest has on its way before it stops taking packets itself: as many replies as both of its queues
    /// have entries. With fewer, both sides could wait for each other.
    private static let capacity = 1024

    init() {
        storage = .allocate(capacity: Self.capacity)
        storage.initialize(repeating: VsockPacket())
    }

    deinit {
        storage.deallocate()
    }

    var isEmpty: Bool { count == 0 }
    var hasRoom: Bool { count < Self.capacity }

    /// The answer to a packet, from whomever it was for.
    mutating func append(answering packet: VsockPacket) {
        guard hasRoom else { return }
        var reset = VsockPacket()
        reset.sourceCID = packet.destinationCID
        reset.destinationCID = packet.sourceCID
        reset.sourcePort = packet.destinationPort
        reset.destinationPort = packet.sourcePort
        reset.type = packet.type
        reset.operation = VsockOperation.reset
        storage[(start + count) % Self.capacity] = reset
        count += 1
    }

    var first: VsockPacket? { count == 0 ? nil : storage[start] }

    mutating func removeFirst() {
        start = (start + 1) % Self.capacity
        count -= 1
    }
}
