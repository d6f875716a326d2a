import GuestMemory

/// The driver's side of a split virtqueue (virtio 1.2, section 2.7): builds rings and chains in guest memory, right or
/// wrong, and reads what the device answers. It shares no code and no constants with the device's side.
public final class MockDriver {
    public let memory: GuestMemory
    public let size: UInt16
    public let descriptorTable: GuestAddress
    public let availableRing: GuestAddress
    public let usedRing: GuestAddress

    public static let next: UInt16 = 1
    public static let write: UInt16 = 2
    public static let indirect: UInt16 = 4

    private var nextDescriptor: UInt16 = 0
    /// The driver's copy of its own index.
    private var nextAvailable: UInt16 = 0

    /// One buffer of a chain.
    public struct Buffer: Sendable {
        public var address: GuestAddress
        public var count: UInt32
        public var isWritable: Bool

        public init(address: GuestAddress, count: UInt32, isWritable: Bool) {
            self.address = address
            self.count = count
            self.isWritable = isWritable
        }

        /// A buffer for the device to read.
        public static func readable(_ address: GuestAddress, _ count: UInt32) -> Buffer {
            Buffer(address: address, count: count, isWritable: false)
        }

        /// A buffer for the device to write.
        public static func writable(_ address: GuestAddress, _ count: UInt32) -> Buffer {
            Buffer(address: address, count: count, isWritable: true)
        }
    }

    /// Rings one after the other from `base` on, which is a multiple of 4096.
    public init(memory: GuestMemory, size: UInt16, base: GuestAddress = 0x1_0000) {
        self.memory = memory
        self.size = size
        descriptorTable = base
        availableRing = base + 16 * UInt64(size)
        usedRing = (availableRing + 6 + 2 * UInt64(size) + 3) & ~3
    }

    /// The first address after the rings, on a page of its own.
    public var end: GuestAddress { (usedRing + 6 + 8 * UInt64(size) + 4095) & ~4095 }

    /// Empty rings, as before a device is set up.
    public func reset() throws {
        let bytes = [UInt8](repeating: 0, count: Int(end - descriptorTable))
        try memory.write(bytes, at: descriptorTable)
        nextDescriptor = 0
        nextAvailable = 0
    }

    // MARK: Chains

    /// Writes one descriptor, into the queue's table or another.
    public func put(_ index: UInt16, address: GuestAddress, count: UInt32, flags: UInt16 = 0, next: UInt16 = 0,
                    table: GuestAddress? = nil) throws {
        let place = (table ?? descriptorTable) + 16 * UInt64(index)
        try memory.write(address, at: place)
        try memory.write(count, at: place + 8)
        try memory.write(flags, at: place + 12)
        try memory.write(next, at: place + 14)
    }

    /// Puts a head into the available ring and makes it visible.
    public func makeAvailable(_ head: UInt16) throws {
        try memory.write(head, at: availableRing + 4 + 2 * UInt64(nextAvailable % size))
        nextAvailable &+= 1
        try memory.slice(at: availableRing, count: 4).storeRelease(nextAvailable, at: 2)
    }

    /// Adds a chain of descriptors of the table and returns its head. The driver keeps no book of descriptors in use:
    /// not more than `size` at the same time.
    @discardableResult
    public func add(_ buffers: [Buffer]) throws -> UInt16 {
        let head = nextDescriptor % size
        try write(buffers) { _ in
            defer { nextDescriptor = (nextDescriptor + 1) % size }
            return (nextDescriptor, (nextDescriptor + 1) % size)
        }
        try makeAvailable(head)
        return head
    }

    /// Adds a chain whose buffers are listed in an indirect table at `table`, and returns its head.
    @discardableResult
    public func addIndirect(_ buffers: [Buffer], table: GuestAddress) throws -> UInt16 {
        try write(buffers, table: table) { (UInt16($0), UInt16($0 + 1)) }
        let head = nextDescriptor
        nextDescriptor = (nextDescriptor + 1) % size
        try put(head, address: table, count: UInt32(16 * buffers.count), flags: Self.indirect)
        try makeAvailable(head)
        return head
    }

    private func write(_ buffers: [Buffer], table: GuestAddress? = nil, _ place: (Int) -> (UInt16, UInt16)) throws {
        for (position, buffer) in buffers.enumerated() {
            let (index, next) = place(position)
            let isLast = position == buffers.count - 1
            try put(index, address: buffer.address, count: buffer.count,
                    flags: (isLast ? 0 : Self.next) | (buffer.isWritable ? Self.write : 0), next: isLast ? 0 : next,
                    table: table)
        }
    }

    // MARK: Ring fields

    public var availableIndex: UInt16 {
        get { field(availableRing + 2) }
        set { setField(availableRing + 2, newValue); nextAvailable = newValue }
    }
    public var availableFlags: UInt16 {
        get { field(availableRing) }
        set { setField(availableRing, newValue) }
    }
    /// After which used entry the driver wants an interrupt.
    public var usedEvent: UInt16 {
        get { field(availableRing + 4 + 2 * UInt64(size)) }
        set { setField(availableRing + 4 + 2 * UInt64(size), newValue) }
    }
    public var usedIndex: UInt16 { field(usedRing + 2) }
    public var usedFlags: UInt16 { field(usedRing) }
    /// After which available entry the device wants a kick.
    public var availableEvent: UInt16 { field(usedRing + 4 + 8 * UInt64(size)) }

    /// The used ring's entry at an index, which may have wrapped.
    public func used(_ index: UInt16) -> (id: UInt32, count: UInt32) {
        let place = usedRing + 4 + 8 * UInt64(index % size)
        guard let id = try? memory.read(UInt32.self, at: place),
              let count = try? memory.read(UInt32.self,
                  at: place + 4) else { fatalError("the used ring is not in RAM") }
        return (id, count)
    }

    private func field(_ address: GuestAddress) -> UInt16 {
        guard let slice = try? memory.slice(at: address, count: 2) else { fatalError("the ring is not in RAM") }
        return slice.loadAcquire(at: 0)
    }

    private func setField(_ address: GuestAddress, _ value: UInt16) {
        guard let slice = try? memory.slice(at: address, count: 2) else { fatalError("the ring is not in RAM") }
        slice.storeRelease(value, at: 0)
    }
}
