import CLinux
import Glibc

/// One record of getdents64(2), still in the buffer.
public struct DirectoryRecord {
    public let inode: UInt64
    /// Where to go on after this entry: for `setDirectoryPosition`.
    public let next: UInt64
    /// DT_REG and the like; 0 where the file system does not say.
    public let type: UInt8
    /// Without the NUL; valid as long as the buffer.
    public let name: UnsafeRawBufferPointer

    public var isDotOrDotDot: Bool {
        name.count <= 2 && name.allSatisfy { $0 == UInt8(ascii: ".") }
    }
}

extension FileDescriptor {
    /// Fills the buffer with the next records of the open directory; returns the bytes filled, 0 at the end. Throws
    /// `.invalidArgument` for a buffer that is too small for one. The corresponding C function is `getdents64`.
    public func readDirectory(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        Int(try retryingInterrupts { svmm_getdents64(raw, buffer.baseAddress, buffer.count) })
    }

    /// Goes to a position that a record named, or to 0, the begin. The corresponding C function is `lseek`.
    public func setDirectoryPosition(_ position: UInt64) throws(Errno) {
        guard let position = off_t(exactly: position) else { throw .invalidArgument }
        _ = try once { lseek(raw, position, SEEK_SET) }
    }
}

/// Calls `body` with the records that `readDirectory` left in `buffer`, until it returns false.
public func forEachDirectoryRecord(in buffer: UnsafeRawBufferPointer, _ body: (DirectoryRecord) -> Bool) {
    // struct linux_dirent64: d_ino[8] d_off[8] d_reclen[2] d_type[1] d_name[], each record 8-byte aligned.
    let nameOffset = 19
    var start = 0
    while buffer.count - start > nameOffset {
        let length = Int(buffer.loadUnaligned(fromByteOffset: start + 16, as: UInt16.self))
        guard length > nameOffset, length <= buffer.count - start else { return }
        let padded = UnsafeRawBufferPointer(rebasing: buffer[(start + nameOffset)..<(start + length)])
        let name = UnsafeRawBufferPointer(rebasing: padded[..<(padded.firstIndex(of: 0) ?? padded.endIndex)])
        let record = DirectoryRecord(
            inode: buffer.loadUnaligned(fromByteOffset: start, as: UInt64.self),
            next: buffer.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self),
            type: buffer[start + 18], name: name)
        guard body(record) else { return }
        start += length
    }
}
