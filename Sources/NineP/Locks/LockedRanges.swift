import LinuxSystem

/// The byte ranges that one owner holds locked in one file, as the kernel keeps them: in order, apart, neighbours of
/// one kind joined. It is there to count them, and to know when there are none left.
struct LockedRanges {
    struct Entry: Equatable {
        var range: LockRange
        var lock: RangeLock
    }

    private(set) var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// Takes a range, in place of what the owner held there.
    mutating func insert(_ range: LockRange, _ lock: RangeLock) {
        remove(range)
        var merged = range
        entries.removeAll { entry in
            guard entry.lock == lock, Self.touch(entry.range, merged) else { return false }
            merged = LockRange(first: min(entry.range.first, merged.first), last: max(entry.range.last, merged.last))
            return true
        }
        let index = entries.firstIndex { $0.range.first > merged.first } ?? entries.endIndex
        entries.insert(Entry(range: merged, lock: lock), at: index)
    }

    /// Gives up a range; what reaches over its ends stays.
    mutating func remove(_ range: LockRange) {
        guard entries.contains(where: { Self.overlap($0.range, range) }) else { return }
        var rest: [Entry] = []
        rest.reserveCapacity(entries.count + 1)
        for entry in entries {
            guard Self.overlap(entry.range, range) else {
                rest.append(entry)
                continue
            }
            if entry.range.first < range.first {
                rest.append(Entry(range: LockRange(first: entry.range.first, last: range.first - 1), lock: entry.lock))
            }
            if entry.range.last > range.last {
                rest.append(Entry(range: LockRange(first: range.last + 1, last: entry.range.last), lock: entry.lock))
            }
        }
        entries = rest
    }

    private static func overlap(_ left: LockRange, _ right: LockRange) -> Bool {
        left.first <= right.last && right.first <= left.last
    }

    /// Whether the two overlap or one begins where the other ends. Neighbours are never both at the end of everything.
    private static func touch(_ left: LockRange, _ right: LockRange) -> Bool {
        overlap(left, right) || (left.last < right.first && left.last + 1 == right.first)
            || (right.last < left.first && right.last + 1 == left.first)
    }
}
