import GuestMemory
import LinuxSystem

/// The file `memory` of a snapshot that is being made. One thread uses it.
final class MemoryFile {
    /// For messages.
    let path: String
    let descriptor: FileDescriptor

    /// How much one call writes at most, in bytes.
    private static let transfer = 4 << 20
    private static let pageSize = Int(RAMLayout.pageSize)

    /// Gives the file its size: all of it is a hole.
    init(_ descriptor: consuming FileDescriptor, size: UInt64, path: String) throws(SnapshotError) {
        self.descriptor = descriptor
        self.path = path
        do throws(Errno) {
            try self.descriptor.setSize(size)
        } catch {
            throw .file(path: path, error)
        }
    }

    /// Writes the pages that are not all zeros and returns their bytes; those that are stay holes. `count` is a multiple of a
    /// page's size.
    func write(_ host: UnsafeRawPointer, count: Int, at offset: UInt64) throws(SnapshotError) -> UInt64 {
        var written: UInt64 = 0
        var position = 0
        while position < count {
            // To the first page with anything in it, and from there to one without.
            while position < count, isZero(host + position) { position += Self.pageSize }
            let start = position
            while position < count, position - start < Self.transfer, !isZero(host + position) { position += Self.pageSize }
            guard position > start else { continue }
            let bytes = UnsafeRawBufferPointer(start: host + start, count: position - start)
            let target = offset + UInt64(start)
            do throws(Errno) {
                try descriptor.writeAll(bytes, at: target)
            } catch {
                throw .file(path: path, error)
            }
            // The disk works while the rest is looked through.
            if bytes.count == Self.transfer { descriptor.startWriting(target..<(target + UInt64(bytes.count))) }
            written += UInt64(bytes.count)
        }
        return written
    }

    /// Makes what was written durable.
    func synchronize() throws(SnapshotError) {
        do throws(Errno) {
            try descriptor.synchronize()
        } catch {
            throw .file(path: path, error)
        }
    }

    private func isZero(_ page: UnsafeRawPointer) -> Bool {
        var offset = 0
        while offset < Self.pageSize {
            // 64 bytes at a time: few pages with anything in them are read to their end.
            let words = page.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
            if words != .zero { return false }
            offset += 64
        }
        return true
    }
}
