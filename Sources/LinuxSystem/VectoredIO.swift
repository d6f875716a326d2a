import CLinux
import Glibc

/// A list of memory areas for one vectored transfer (struct iovec), of a capacity that is fixed when it is made, so that
/// using it again and again allocates nothing.
///
/// It does not own the areas it lists: whoever appends one keeps the memory mapped until the transfer is over.
public struct IOVectorList: ~Copyable {
    let storage: UnsafeMutableBufferPointer<iovec>
    public private(set) var count = 0
    /// Sum of the areas' lengths in bytes.
    public private(set) var byteCount = 0

    public init(capacity: Int) {
        storage = .allocate(capacity: capacity)
        storage.initialize(repeating: iovec())
    }

    deinit {
        storage.deallocate()
    }

    public mutating func removeAll() {
        count = 0
        byteCount = 0
    }

    /// Adds an area; false when the list is full.
    public mutating func append(_ base: UnsafeMutableRawPointer, count length: Int) -> Bool {
        guard count < storage.count else { return false }
        storage[count] = iovec(iov_base: base, iov_len: length)
        count += 1
        byteCount += length
        return true
    }

    /// Copies the bytes from `offset` on out of the areas, as many as fit; returns the count.
    public func copy(from offset: Int, to bytes: UnsafeMutableRawBufferPointer) -> Int {
        var skip = offset
        var done = 0
        for area in storage[..<count] where done < bytes.count {
            if skip >= area.iov_len {
                skip -= area.iov_len
                continue
            }
            let part = min(area.iov_len - skip, bytes.count - done)
            if let source = area.iov_base { bytes.baseAddress!.advanced(by: done).copyMemory(from: source + skip, byteCount: part) }
            skip = 0
            done += part
        }
        return done
    }

    /// Calls `transfer(areas, count, bytes done so far)` until all bytes are moved. The list is used up afterwards.
    fileprivate mutating func transferAll(
        _ transfer: (UnsafePointer<iovec>, Int32, Int) -> Int
    ) throws(Errno) -> Int {
        // IOV_MAX of Linux; one call takes no more areas.
        let limit = 1024
        var first = 0
        var done = 0
        while first < count {
            let batch = Int32(min(count - first, limit))
            var moved = try retryingInterrupts { transfer(UnsafePointer(storage.baseAddress! + first), batch, done) }
            if moved == 0 { break }
            done += moved
            while first < count, moved >= storage[first].iov_len {
                moved -= storage[first].iov_len
                first += 1
            }
            if moved > 0 {
                let area = storage[first]
                storage[first] = iovec(iov_base: area.iov_base + moved, iov_len: area.iov_len - moved)
            }
        }
        return done
    }
}

extension FileDescriptor {
    /// Reads at `offset` into all areas; returns the bytes read, fewer only at the end of the file. The C function is
    /// `preadv`. The list's areas are used up.
    public func read(into vectors: inout IOVectorList, at offset: UInt64) throws(Errno) -> Int {
        try vectors.transferAll { preadv(raw, $0, $1, off_t(clamping: offset + UInt64($2))) }
    }

    /// Writes all areas at `offset`; returns the bytes written. The C function is `pwritev`. The list's areas are used up.
    public func write(from vectors: inout IOVectorList, at offset: UInt64) throws(Errno) -> Int {
        try vectors.transferAll { pwritev(raw, $0, $1, off_t(clamping: offset + UInt64($2))) }
    }
}
