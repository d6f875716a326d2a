import CLinux
import Glibc

/// A list of memory areas for one vectored transfer (struct iovec). Its storage only grows, so that using it again and again
/// allocates nothing.
///
/// It does not own the areas it lists: whoever appends one keeps the memory mapped until the transfer is over.
public struct IOVectorList: ~Copyable {
    private var storage: UnsafeMutableBufferPointer<iovec>
    private let limit: Int
    /// Where the areas begin that are not used up.
    private var first = 0
    private var end = 0
    /// Sum of the areas' lengths in bytes.
    public private(set) var byteCount = 0

    /// IOV_MAX of Linux; one call takes no more areas.
    private static let callLimit = 1024

    /// - Parameters:
    ///   - capacity: areas that fit without another allocation.
    ///   - limit: areas that fit at all; `capacity` where it is not given.
    public init(capacity: Int, limit: Int? = nil) {
        storage = .allocate(capacity: capacity)
        storage.initialize(repeating: iovec())
        self.limit = max(limit ?? capacity, capacity)
    }

    deinit {
        storage.deallocate()
    }

    /// Areas that are not used up.
    public var count: Int { end - first }

    public mutating func removeAll() {
        first = 0
        end = 0
        byteCount = 0
    }

    /// Adds an area; false when the list is full.
    public mutating func append(_ base: UnsafeMutableRawPointer, count length: Int) -> Bool {
        if end == storage.count {
            guard end < limit else { return false }
            grow()
        }
        storage[end] = iovec(iov_base: base, iov_len: length)
        end += 1
        byteCount += length
        return true
    }

    /// Copies the bytes from `offset` on out of the areas, as many as fit; returns the count.
    public func copy(from offset: Int, to bytes: UnsafeMutableRawBufferPointer) -> Int {
        var skip = offset
        var done = 0
        for area in storage[first..<end] where done < bytes.count {
            if skip >= area.iov_len {
                skip -= area.iov_len
                continue
            }
            let part = min(area.iov_len - skip, bytes.count - done)
            bytes.baseAddress!.advanced(by: done).copyMemory(from: area.iov_base + skip, byteCount: part)
            skip = 0
            done += part
        }
        return done
    }

    private mutating func grow() {
        let larger = UnsafeMutableBufferPointer<iovec>.allocate(capacity: min(limit, max(4, 2 * storage.count)))
        larger.initialize(repeating: iovec())
        for index in 0..<end { larger[index] = storage[index] }
        storage.deallocate()
        storage = larger
    }

    /// Takes bytes off the front that have been moved. Not more than there are.
    public mutating func consume(_ bytes: Int) {
        var left = bytes
        byteCount -= bytes
        while first < end, left >= storage[first].iov_len {
            left -= storage[first].iov_len
            first += 1
        }
        if left > 0, first < end {
            let area = storage[first]
            storage[first] = iovec(iov_base: area.iov_base + left, iov_len: area.iov_len - left)
        }
    }

    /// Whether every area begins at, and has a length of, a multiple of `alignment`, a power of two.
    public func isAligned(to alignment: Int) -> Bool {
        for index in first..<end {
            let area = storage[index]
            if (Int(bitPattern: area.iov_base) | area.iov_len) & (alignment - 1) != 0 { return false }
        }
        return true
    }

    /// Calls `body` with each area that is not used up.
    public func forEach(_ body: (UnsafeMutableRawBufferPointer) -> Void) {
        for index in first..<end {
            body(UnsafeMutableRawBufferPointer(start: storage[index].iov_base, count: storage[index].iov_len))
        }
    }

    /// The areas for one call: not more than the kernel takes. Valid until the list changes.
    var pointer: UnsafePointer<iovec> { UnsafePointer(storage.baseAddress! + first) }
    var callCount: Int32 { Int32(min(end - first, Self.callLimit)) }

    /// Calls `transfer(areas, count, bytes done so far)` until all bytes are moved. The list is used up afterwards.
    fileprivate mutating func transferAll(
        _ transfer: (UnsafePointer<iovec>, Int32, Int) -> Int
    ) throws(Errno) -> Int {
        var done = 0
        while byteCount > 0 {
            let (pointer, count) = (pointer, callCount)
            let moved = try retryingInterrupts { transfer(pointer, count, done) }
            if moved == 0 { break }
            done += moved
            consume(moved)
        }
        return done
    }
}

extension FileDescriptor {
    /// Reads at `offset` into all areas; returns the bytes read, fewer only at the end of the file. The C function is
    /// `preadv`. The list's areas are used up.
    public func read(into vectors: inout IOVectorList, at offset: UInt64) throws(Errno) -> Int {
        try vectors.transferAll { preadv(raw, $0, $1, off_t(clamping: offset &+ UInt64($2))) }
    }

    /// Writes all areas at `offset`; returns the bytes written. With `durable` each part is on the disk before the next one
    /// (RWF_DSYNC). The C function is `pwritev2`. The list's areas are used up.
    public func write(
        from vectors: inout IOVectorList, at offset: UInt64, durable: Bool = false
    ) throws(Errno) -> Int {
        let flags: Int32 = durable ? 2 : 0  // RWF_DSYNC
        return try vectors.transferAll { pwritev2(raw, $0, $1, off_t(clamping: offset &+ UInt64($2)), flags) }
    }

    /// Reads once, only what the page cache holds: `Errno.again` where that is nothing, `Errno.notSupported` where the file
    /// system cannot tell. Returns the bytes read and takes them off the list; 0 at the end of the file. The C function is
    /// `preadv2` (RWF_NOWAIT).
    public func readCached(into vectors: inout IOVectorList, at offset: UInt64) throws(Errno) -> Int {
        let (pointer, count) = (vectors.pointer, vectors.callCount)
        let noWait: Int32 = 8  // RWF_NOWAIT
        let moved = try retryingInterrupts { preadv2(raw, pointer, count, off_t(clamping: offset), noWait) }
        vectors.consume(moved)
        return moved
    }
}
