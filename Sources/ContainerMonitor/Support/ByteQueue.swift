/// Bytes that wait, first in, first out.
struct ByteQueue {
    private var bytes: [UInt8] = []
    private var start = 0

    /// Storage that is kept when nothing waits in it.
    private static let keptCapacity = 16 << 10

    var count: Int { bytes.count - start }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: more)
    }

    mutating func append(_ more: [UInt8]) {
        bytes += more
    }

    /// Drops the first bytes, at most as many as there are.
    mutating func removeFirst(_ amount: Int) {
        start += amount
        if start >= bytes.count {
            removeAll()
        } else if start > bytes.count / 2 {
            bytes.removeSubrange(..<start)
            start = 0
        }
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.keptCapacity)
        start = 0
    }

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    }

    /// A copy of some bytes, all of which are there.
    func copy(_ range: Range<Int>) -> [UInt8] {
        Array(bytes[(start + range.lowerBound)..<(start + range.upperBound)])
    }
}
