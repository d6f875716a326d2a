import GuestMemory

/// One line of the memory map that the guest is given (e820).
public struct MemoryMapEntry: Equatable, Sendable {
    public enum Kind: UInt32, Sendable {
        case ram = 1, reserved = 2
    }

    public var start: GuestAddress
    public var count: UInt64
    public var kind: Kind

    /// KVM's own pages (identity map and TSS) at the top of the hole.
    public static let kvmPages = MemoryMapEntry(start: 0xFEFF_C000, count: 0x4000, kind: .reserved)

    /// The map of a machine with this RAM, in ascending order.
    public static func map(of layout: RAMLayout) -> [MemoryMapEntry] {
        func entry(_ start: GuestAddress, _ end: GuestAddress, _ kind: Kind) -> MemoryMapEntry {
            MemoryMapEntry(start: start, count: end - start, kind: kind)
        }
        var map = [
            entry(0, LowMemory.extendedBIOSData, .ram),
            entry(LowMemory.extendedBIOSData, LowMemory.video, .reserved),
            entry(LowMemory.firmware, LowMemory.end, .reserved),
        ]
        if layout.low.end > LowMemory.end { map.append(entry(LowMemory.end, layout.low.end, .ram)) }
        map.append(kvmPages)
        if let high = layout.high { map.append(entry(high.start, high.end, .ram)) }
        return map
    }
}
