/// A range of guest-physical addresses that is RAM.
public struct MemoryRegion: Equatable, Sendable {
    public let start: GuestAddress
    public let count: UInt64

    public init(start: GuestAddress, count: UInt64) {
        self.start = start
        self.count = count
    }

    /// The first address after it.
    public var end: GuestAddress { start + count }
}

/// Where guest RAM lies: from 0 up to the hole below 4 GiB, and the rest from 4 GiB upwards.
///
/// The hole of 1 GiB holds the devices' registers, the I/O APIC, the local APICs and KVM's own pages (TSS, identity map).
public struct RAMLayout: Equatable, Sendable {
    /// Where the hole begins: 3 GiB.
    public static let holeStart: GuestAddress = 0xC000_0000
    /// Where it ends: 4 GiB.
    public static let holeEnd: GuestAddress = 0x1_0000_0000
    /// Sizes in bytes that `init` accepts: whole pages from 1 MiB to 64 GiB.
    public static let sizes: ClosedRange<UInt64> = (1 << 20)...(64 << 30)
    public static let pageSize: UInt64 = 4096

    /// Bytes of RAM.
    public let size: UInt64
    /// From address 0.
    public let low: MemoryRegion
    /// From 4 GiB; nil when everything fits below the hole.
    public let high: MemoryRegion?

    /// nil unless the size is in `sizes` and a multiple of the page size.
    public init?(size: UInt64) {
        guard Self.sizes.contains(size), size % Self.pageSize == 0 else { return nil }
        self.size = size
        low = MemoryRegion(start: 0, count: min(size, Self.holeStart))
        high = size > Self.holeStart ? MemoryRegion(start: Self.holeEnd, count: size - Self.holeStart) : nil
    }

    public var regions: [MemoryRegion] {
        if let high { [low, high] } else { [low] }
    }
}
