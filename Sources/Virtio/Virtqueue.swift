import GuestMemory

/// A split virtqueue in use (virtio 1.2, section 2.7). Where its rings lie was checked and frozen when it was made.
///
/// For one thread: the one that serves the queue.
public final class Virtqueue {
    /// Number of descriptors: a power of two.
    public let size: UInt16

    private let memory: GuestMemory
    private let table: GuestSlice
    private let available: GuestSlice
    private let used: GuestSlice
    private let usesEventIndex: Bool
    private let allowsIndirect: Bool
    /// Behind a pointer: the runtime's checks of exclusive access to a class's own variables take longer than all else that is
    /// done with these, and are of no use to an object of one thread.
    private let position: UnsafeMutablePointer<Position>

    /// How far the device has come in the rings. Any values are safe: what is out of step with the rings is the driver's own loss.
    public struct Position: BitwiseCopyable, Equatable, Sendable {
        public var nextAvailable: UInt16 = 0
        public var nextUsed: UInt16 = 0
        /// The used index up to which the driver has been considered for a notification.
        public var consideredUsed: UInt16 = 0

        public init() {}
    }

    // Offsets in the rings (virtio 1.2, 2.7.6 and 2.7.8).
    private enum Ring {
        static let flags = 0
        static let index = 2
        static let entries = 4
    }
    private static let descriptorSize = 16
    private static let noNotify: UInt16 = 1  // VIRTQ_USED_F_NO_NOTIFY
    private static let noInterrupt: UInt16 = 1  // VIRTQ_AVAIL_F_NO_INTERRUPT

    /// Checks size, alignment and place of the rings.
    ///
    /// - Parameter start: where to go on in them.
    public init(
        _ configuration: QueueConfiguration, memory: GuestMemory, features: FeatureBits, at start: Position = Position()
    ) throws(QueueError) {
        let size = configuration.size
        guard size > 0, size <= configuration.maximumSize, size & (size - 1) == 0 else { throw .size(size) }
        let count = UInt64(size)
        self.size = size
        self.memory = memory
        table = try Self.ring(memory, configuration.descriptorTable, 16 * count, alignment: 16)
        available = try Self.ring(memory, configuration.availableRing, 6 + 2 * count, alignment: 2)
        used = try Self.ring(memory, configuration.usedRing, 6 + 8 * count, alignment: 4)
        usesEventIndex = features.contains(.eventIndex)
        allowsIndirect = features.contains(.indirectDescriptors)
        position = .allocate(capacity: 1)
        position.initialize(to: start)
    }

    deinit {
        position.deallocate()
    }

    /// Where the device stands: while nothing that it has taken is missing from the used ring, all that there is to know to go on.
    public var place: Position { position.pointee }

    /// Takes over from a part of the host's kernel that has served the queue until now.
    ///
    /// - Parameter nextAvailable: the first entry of the available ring that it has not taken.
    public func takeOver(nextAvailable: UInt16) {
        let used = used.loadAcquire(at: Ring.index)
        position.pointee.nextAvailable = nextAvailable
        position.pointee.nextUsed = used
        position.pointee.consideredUsed = used
    }

    /// Where the descriptor table and the rings lie in this process, for a part of the host's kernel that serves the queue instead
    /// of this object. Valid for as long as guest memory is.
    public var hostAddresses: (table: UnsafeMutableRawPointer, available: UnsafeMutableRawPointer,
                               used: UnsafeMutableRawPointer) {
        (table.buffer.baseAddress!, available.buffer.baseAddress!, used.buffer.baseAddress!)
    }

    private static func ring(
        _ memory: GuestMemory, _ address: GuestAddress, _ count: UInt64, alignment: UInt64
    ) throws(QueueError) -> GuestSlice {
        guard address % alignment == 0 else { throw .ring(.misaligned(address: address, alignment: alignment)) }
        do throws(GuestMemoryError) {
            return try memory.slice(at: address, count: count)
        } catch {
            throw .ring(error)
        }
    }

    /// Whether there is a chain to take, or a reason to stop: cheap enough to be polled.
    @inline(__always)
    public var hasAvailable: Bool { available.loadAcquire(at: Ring.index) != position.pointee.nextAvailable }

    /// Takes the next available chain into `chain`; false when there is none. Every descriptor is read once and checked
    /// before the device sees it.
    public func next(_ chain: DescriptorChain) throws(QueueError) -> Bool {
        let pending = available.loadAcquire(at: Ring.index) &- position.pointee.nextAvailable
        if pending == 0 { return false }
        guard pending <= size else { throw .availableIndexAhead(by: pending) }
        let head = available.load(UInt16.self, at: Ring.entries + 2 * Int(position.pointee.nextAvailable & (size - 1)))
        position.pointee.nextAvailable &+= 1
        chain.begin(head: head)
        try walk(from: head, into: chain)
        return true
    }

    /// Puts the chains taken last back, none of which was pushed: `next` takes them again, and reads them anew.
    public func putBack(_ count: UInt16) {
        position.pointee.nextAvailable &-= count
    }

    /// Gives a chain back, with the number of bytes written into it. The entry is visible before the index that covers it.
    public func push(head: UInt16, written: Int) {
        stage(head: head, written: written)
        publish()
    }

    /// As `push`, but the driver sees it only with `publish`: several chains that make one message appear at once. Not more than
    /// the queue's size of them.
    public func stage(head: UInt16, written: Int) {
        let entry = Ring.entries + 8 * Int(position.pointee.nextUsed & (size - 1))
        used.store(UInt32(head), at: entry)
        used.store(UInt32(clamping: written), at: entry + 4)
        position.pointee.nextUsed &+= 1
    }

    /// Shows the driver what was staged.
    public func publish() {
        used.storeRelease(position.pointee.nextUsed, at: Ring.index)
    }

    /// Whether the driver wants a notification for what was pushed since the last call.
    public func shouldNotifyDriver() -> Bool {
        // The index must be out before the driver's wish is read, or both sides could wait for each other.
        fullMemoryBarrier()
        let before = position.pointee.consideredUsed
        position.pointee.consideredUsed = position.pointee.nextUsed
        guard usesEventIndex else { return available.loadAcquire(at: Ring.flags) & Self.noInterrupt == 0 }
        let event = available.loadAcquire(at: Ring.entries + 2 * Int(size))
        return position.pointee.nextUsed &- event &- 1 < position.pointee.nextUsed &- before
    }

    /// Asks the driver for no kicks while the queue is being served anyway.
    public func disableKicks() {
        // With event indices the driver kicks when it passes `avail_event`, which simply stays behind.
        if !usesEventIndex { used.storeRelease(Self.noNotify, at: Ring.flags) }
    }

    /// Asks for a kick at the next chain; true when chains have arrived meanwhile, whose kick may be lost.
    public func enableKicks() -> Bool {
        if usesEventIndex {
            used.storeRelease(position.pointee.nextAvailable, at: Ring.entries + 8 * Int(size))
        } else {
            used.storeRelease(0, at: Ring.flags)
        }
        fullMemoryBarrier()
        return available.loadAcquire(at: Ring.index) != position.pointee.nextAvailable
    }

    private struct Descriptor: BitwiseCopyable {
        var address: UInt64
        var length: UInt32
        var flags: UInt16
        var next: UInt16

        static let next: UInt16 = 1  // VIRTQ_DESC_F_NEXT
        static let write: UInt16 = 2  // VIRTQ_DESC_F_WRITE
        static let indirect: UInt16 = 4  // VIRTQ_DESC_F_INDIRECT
    }

    private func walk(from head: UInt16, into chain: DescriptorChain) throws(QueueError) {
        var table = table
        var count = size
        var isIndirect = false
        var index = head
        // A chain of more than `size` descriptors is a loop or forbidden; the indirect one itself does not count.
        var left = size
        while true {
            guard index < count else { throw .descriptorIndex(index) }
            let descriptor = table.load(Descriptor.self, at: Self.descriptorSize * Int(index))
            if descriptor.flags & Descriptor.indirect != 0 {
                guard allowsIndirect, !isIndirect, descriptor.flags & Descriptor.next == 0 else { throw .indirectTable }
                (table, count) = try indirectTable(descriptor)
                isIndirect = true
                index = 0
                continue
            }
            guard left > 0 else { throw .chainTooLong }
            left -= 1
            let buffer: GuestSlice
            do throws(GuestMemoryError) {
                buffer = try memory.slice(at: descriptor.address, count: UInt64(descriptor.length))
            } catch {
                throw .buffer(error)
            }
            try chain.append(buffer, writable: descriptor.flags & Descriptor.write != 0)
            if descriptor.flags & Descriptor.next == 0 { return }
            index = descriptor.next
        }
    }

    private func indirectTable(_ descriptor: Descriptor) throws(QueueError) -> (GuestSlice, UInt16) {
        let bytes = UInt64(descriptor.length)
        let entries = bytes / UInt64(Self.descriptorSize)
        guard bytes % UInt64(Self.descriptorSize) == 0, entries > 0 else { throw .indirectTable }
        do throws(GuestMemoryError) {
            // `next` has 16 bits, so entries past 65535 cannot be reached.
            return (try memory.slice(at: descriptor.address, count: bytes), UInt16(clamping: entries))
        } catch {
            throw .buffer(error)
        }
    }
}
