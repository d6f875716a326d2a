import CLinux
import Glibc

/// The memory areas of frames, in order: filled at the end, used up from the front (struct iovec). Of a capacity that is fixed
/// when it is made, so that using it again and again allocates nothing.
///
/// It does not own the areas: whoever appends one keeps the memory mapped until it is used up.
public struct FrameVectors: ~Copyable {
    /// Areas that one call takes (IOV_MAX of Linux).
    public static let callLimit = 1024

    private let storage: UnsafeMutableBufferPointer<iovec>
    private var first = 0
    private var end = 0

    /// - Parameter capacity: at most `callLimit`.
    public init(capacity: Int = Self.callLimit) {
        // Twice the room, so that moving what is left to the front is rare.
        storage = .allocate(capacity: 2 * capacity)
        storage.initialize(repeating: iovec())
    }

    deinit {
        storage.deallocate()
    }

    public var capacity: Int { storage.count / 2 }
    public var count: Int { end - first }

    public mutating func removeAll() {
        first = 0
        end = 0
    }

    /// Adds an area; false when the list is full.
    @inline(__always)
    public mutating func append(_ area: UnsafeMutableRawBufferPointer) -> Bool {
        guard count < capacity else { return false }
        if end == storage.count {
            for index in 0..<count { storage[index] = storage[first + index] }
            (first, end) = (0, count)
        }
        storage[end] = iovec(iov_base: area.baseAddress, iov_len: area.count)
        end += 1
        return true
    }

    /// Takes areas off the front.
    public mutating func removeFirst(_ areas: Int) {
        first += min(max(areas, 0), count)
    }

    /// Takes the area off the end that was appended last.
    public mutating func removeLast() {
        if count > 0 { end -= 1 }
    }

    /// Takes bytes off the front that have been moved.
    public mutating func consume(_ bytes: Int) {
        var left = bytes
        while first < end, left >= storage[first].iov_len {
            left -= storage[first].iov_len
            first += 1
        }
        if left > 0, first < end {
            let area = storage[first]
            storage[first] = iovec(iov_base: area.iov_base + left, iov_len: area.iov_len - left)
        }
    }

    /// The areas from the front on.
    public subscript(index: Int) -> UnsafeMutableRawBufferPointer {
        precondition(index >= 0 && index < count)
        let area = storage[first + index]
        return UnsafeMutableRawBufferPointer(start: area.iov_base, count: area.iov_len)
    }

    /// Copies bytes into the areas, `offset` bytes from the front; returns the count, less than given at the end.
    @discardableResult
    public func copy(from bytes: UnsafeRawBufferPointer, at offset: Int = 0) -> Int {
        var skip = offset
        var done = 0
        var index = first
        while index < end, done < bytes.count {
            let area = storage[index]
            index += 1
            if skip >= area.iov_len {
                skip -= area.iov_len
                continue
            }
            let part = min(area.iov_len - skip, bytes.count - done)
            if part > 0 { (area.iov_base + skip).copyMemory(from: bytes.baseAddress! + done, byteCount: part) }
            skip = 0
            done += part
        }
        return done
    }

    /// Copies bytes out of the areas, `offset` bytes from the front; returns the count, less than asked for at the end.
    @discardableResult
    public func copy(to bytes: UnsafeMutableRawBufferPointer, at offset: Int = 0) -> Int {
        var skip = offset
        var done = 0
        var index = first
        while index < end, done < bytes.count {
            let area = storage[index]
            index += 1
            if skip >= area.iov_len {
                skip -= area.iov_len
                continue
            }
            let part = min(area.iov_len - skip, bytes.count - done)
            if part > 0 { (bytes.baseAddress! + done).copyMemory(from: area.iov_base + skip, byteCount: part) }
            skip = 0
            done += part
        }
        return done
    }

    /// Adds the part of another list's areas that holds `count` bytes from `offset` on; returns the bytes added, fewer when one of
    /// the lists ends before.
    public mutating func append(_ other: borrowing FrameVectors, from offset: Int, count: Int) -> Int {
        var skip = offset
        var done = 0
        var index = other.first
        while index < other.end, done < count {
            let area = other.storage[index]
            index += 1
            if skip >= area.iov_len {
                skip -= area.iov_len
                continue
            }
            let part = min(area.iov_len - skip, count - done)
            guard append(UnsafeMutableRawBufferPointer(start: area.iov_base + skip, count: part)) else { break }
            skip = 0
            done += part
        }
        return done
    }

    /// Reads once into the areas. nil when there is nothing to read now. The corresponding C function is `readv`.
    public func read(from raw: Int32) throws(Errno) -> Int? {
        let (areas, count) = (UnsafePointer(storage.baseAddress! + first), Int32(count))
        if count == 1 { return try whenReady { svmm_read(raw, areas[0].iov_base, areas[0].iov_len) } }
        return try whenReady { svmm_readv(raw, areas, count) }
    }

    /// Writes the areas once. nil when nothing can be written now. The corresponding C function is `writev`.
    public func write(to raw: Int32) throws(Errno) -> Int? {
        let (areas, count) = (UnsafePointer(storage.baseAddress! + first), Int32(count))
        // One area, as most small frames are, spares the kernel the list.
        if count == 1 { return try whenReady { svmm_write(raw, areas[0].iov_base, areas[0].iov_len) } }
        return try whenReady { svmm_writev(raw, areas, count) }
    }
}

/// Reads once from a descriptor that does not block; nil when there is nothing now. The corresponding C function is `read`.
public func readNow(_ raw: Int32, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
    try whenReady { Glibc.read(raw, buffer.baseAddress, buffer.count) }
}

/// Writes once to a descriptor that does not block; nil when it takes nothing now. The corresponding C function is `write`.
public func writeNow(_ raw: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int? {
    try whenReady { Glibc.write(raw, bytes.baseAddress, bytes.count) }
}

/// As `retryingInterrupts`, but that nothing can be done now is no error: it is the end of every burst of frames.
@inline(__always)
private func whenReady(_ call: () -> Int) throws(Errno) -> Int? {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error == .again { return nil }
        if error != .interrupted { throw error }
    }
}
