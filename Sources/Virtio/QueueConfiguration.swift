import GuestMemory

/// A queue as the driver describes it through the transport, until DRIVER_OK freezes it into a `Virtqueue`.
public struct QueueConfiguration: Equatable, Sendable {
    /// What the device offers (QueueNumMax): a power of two, at most 32768.
    public let maximumSize: UInt16
    public var size: UInt16
    public var isReady = false
    public var descriptorTable: GuestAddress = 0
    public var availableRing: GuestAddress = 0
    public var usedRing: GuestAddress = 0

    public init(maximumSize: UInt16) {
        self.maximumSize = maximumSize
        size = maximumSize
    }
}

/// What is wrong with a queue or with a chain in it. The device stops and asks for a reset (DEVICE_NEEDS_RESET).
public enum QueueError: Error, Equatable {
    /// Not a power of two between 1 and the maximum.
    case size(UInt16)
    case ring(GuestMemoryError)
    /// The driver claims more available chains than the queue can hold.
    case availableIndexAhead(by: UInt16)
    /// A descriptor index is not below the size of its table.
    case descriptorIndex(UInt16)
    /// More descriptors than the queue's size: a loop, or a chain that virtio forbids.
    case chainTooLong
    /// A buffer is not guest RAM.
    case buffer(GuestMemoryError)
    /// A buffer to read follows one to write.
    case readableAfterWritable
    /// An indirect table without the feature, inside another, with NEXT set, empty, or not a whole number of descriptors.
    case indirectTable
    /// The device type's own rules about a chain are broken.
    case request
}
