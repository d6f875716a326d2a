import Virtio

/// What a guest says of its memory (virtio 1.2, 5.5.6.3 and 5.5.6.4).
public struct GuestStatistics: Equatable, Sendable {
    /// VIRTIO_BALLOON_S_*, with those that Linux has added since (linux/virtio_balloon.h).
    public enum Tag: UInt16, Sendable, CaseIterable {
        case swappedIn = 0, swappedOut, majorFaults, minorFaults, free, total, available, diskCaches
        case hugePageAllocations, hugePageFailures
        case outOfMemoryKills, allocationStalls, backgroundScans, directScans, backgroundReclaims, directReclaims
    }

    private var values: [UInt64?]

    public init() {
        values = Array(repeating: nil, count: Tag.allCases.count)
    }

    public subscript(tag: Tag) -> UInt64? {
        get { values[Int(tag.rawValue)] }
        set { values[Int(tag.rawValue)] = newValue }
    }

    /// Entries of a request that are looked at, however many it has: more than there are tags, so that room is left for unknown
    /// ones.
    static let entryLimit = 64
    private static let entrySize = 10

    /// From the readable bytes of a chain: entries of a 16-bit tag and a 64-bit value. Unknown tags are ignored, of those that
    /// come twice the last one counts.
    init(reading chain: DescriptorChain) {
        self.init()
        for index in 0..<min(chain.readableCount / Self.entrySize, Self.entryLimit) {
            let offset = index * Self.entrySize
            guard let number = chain.read(UInt16.self, at: offset), let tag = Tag(rawValue: number),
                  let value = chain.read(UInt64.self, at: offset + 2) else { continue }
            self[tag] = value
        }
    }
}
