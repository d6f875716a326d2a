import LinuxSystem

/// What a host socket has not taken yet: a ring of bytes of a fixed capacity, which has memory only while it holds any.
struct StreamBuffer: ~Copyable {
    /// In bytes; never more than this is appended.
    let capacity: Int
    private(set) var count = 0
    private var start = 0
    private var storage: UnsafeMutableRawPointer?

    init(capacity: Int) {
        self.capacity = capacity
    }

    deinit {
        storage?.deallocate()
    }

    /// Takes the bytes of the areas from `offset` on, which fit.
    mutating func append(_ vectors: borrowing IOVectorList, from offset: Int) {
        let length = vectors.byteCount - offset
        precondition(length <= capacity - count)
        let storage = storage ?? .allocate(byteCount: capacity, alignment: 16)
        self.storage = storage
        let end = (start + count) % capacity
        let first = min(length, capacity - end)
        _ = vectors.copy(from: offset, to: UnsafeMutableRawBufferPointer(start: storage + end, count: first))
        if length > first {
            _ = vectors.copy(from: offset + first, to: UnsafeMutableRawBufferPointer(start: storage, count: length - first))
        }
        count += length
    }

    /// The oldest bytes, as far as they lie together; empty only when the buffer is.
    var front: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: storage.map { UnsafeRawPointer($0 + start) }, count: min(count, capacity - start))
    }

    mutating func removeFirst(_ length: Int) {
        count -= length
        start = (start + length) % capacity
        if count == 0 { removeAll() }
    }

    mutating func removeAll() {
        storage?.deallocate()
        storage = nil
        start = 0
        count = 0
    }
}
