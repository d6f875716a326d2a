import CLinux
import Glibc

extension FileDescriptor {
    /// Takes the lock of the open file or directory, with others who share it or alone, and waits until it can be had. It ends
    /// with the open file. The corresponding C function is `flock`.
    public func waitForLock(shared: Bool) throws(Errno) {
        _ = try retryingInterrupts { flock(raw, shared ? LOCK_SH : LOCK_EX) }
    }

    /// As `waitForLock`; returns false instead of waiting. The corresponding C function is `flock` (LOCK_NB).
    public func tryLock(shared: Bool) throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try retryingInterrupts { flock(raw, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) }
            return true
        } catch {
            guard error == .again else { throw error }
            return false
        }
    }

    /// Lets go of the lock. The corresponding C function is `flock` (LOCK_UN).
    public func unlock() throws(Errno) {
        _ = try retryingInterrupts { flock(raw, LOCK_UN) }
    }

    /// Writes every byte at an offset. The corresponding C function is `pwrite`.
    public func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
        try LinuxSystem.writeAll(raw, bytes, at: offset)
    }

    /// Where the next read or write goes. The corresponding C function is `lseek` (SEEK_SET).
    public func setPosition(_ offset: UInt64) throws(Errno) {
        guard let offset = off_t(exactly: offset) else { throw .invalidArgument }
        _ = try once { lseek(raw, offset, SEEK_SET) }
    }

    /// The next range at or after an offset that holds data, no hole; nil when there is none. A file system that does not know
    /// holes says that all is data. The corresponding C function is `lseek` (SEEK_DATA, SEEK_HOLE); it moves the position.
    public func nextData(from offset: UInt64) throws(Errno) -> Range<UInt64>? {
        guard let offset = off_t(exactly: offset) else { throw .invalidArgument }
        let start = lseek(raw, offset, Int32(SVMM_SEEK_DATA.rawValue))
        if start < 0 {
            let error = Errno.current
            guard error == .noAddress else { throw error }
            return nil
        }
        let end = try once { lseek(raw, start, Int32(SVMM_SEEK_HOLE.rawValue)) }
        return UInt64(start)..<UInt64(max(start, end))
    }

    /// Copies a range to the same place in another file, inside the kernel where that can, sharing blocks where file systems do.
    /// The corresponding C functions are `copy_file_range` and, where it is refused, `pread` and `pwrite`.
    public func copy(_ range: Range<UInt64>, to target: borrowing FileDescriptor) throws(Errno) {
        var (source, destination) = (off_t(clamping: range.lowerBound), off_t(clamping: range.lowerBound))
        let end = off_t(clamping: range.upperBound)
        while source < end {
            let count = copy_file_range(raw, &source, target.raw, &destination, Int(end - source), 0)
            if count > 0 { continue }
            if count == 0 { return }
            let error = Errno.current
            switch error {
            case .interrupted: continue
            case .crossDevice, .invalidArgument, .notSupported, .notImplemented, .notPermitted:
                return try copyThroughMemory(UInt64(source)..<UInt64(end), to: target)
            default: throw error
            }
        }
    }

    private func copyThroughMemory(_ range: Range<UInt64>, to target: borrowing FileDescriptor) throws(Errno) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, Int(range.upperBound - offset))])
            let count = try read(into: part, at: offset)
            guard count > 0 else { return }
            try target.writeAll(UnsafeRawBufferPointer(rebasing: part[..<count]), at: offset)
            offset += UInt64(count)
        }
    }

    /// Tells the kernel that the file is read from front to back. The corresponding C function is `posix_fadvise`
    /// (POSIX_FADV_SEQUENTIAL).
    public func adviseSequentialReading() {
        // Advice only.
        _ = posix_fadvise(raw, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    /// Starts to write a range to the disk, and does not wait for it. The corresponding C function is `sync_file_range`
    /// (SYNC_FILE_RANGE_WRITE).
    public func startWriting(_ range: Range<UInt64>) {
        // Advice only: whoever needs the data on the disk synchronizes.
        _ = sync_file_range(raw, off_t(clamping: range.lowerBound), off_t(clamping: range.upperBound - range.lowerBound),
                            UInt32(SVMM_SYNC_FILE_RANGE_WRITE.rawValue))
    }
}

extension Errno {
    static let noAddress = Errno(rawValue: ENXIO)
    static let notImplemented = Errno(rawValue: ENOSYS)
}

/// Writes every byte at an offset of a file that somebody else owns. The corresponding C function is `pwrite`.
public func writeAll(_ raw: Int32, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
    var done = 0
    while done < bytes.count {
        done += try retryingInterrupts {
            pwrite(raw, bytes.baseAddress! + done, bytes.count - done, off_t(clamping: offset + UInt64(done)))
        }
    }
}

/// Gives a file another name, in place of what has it, at once. The corresponding C function is `rename`.
public func renameFile(_ path: String, to newPath: String) throws(Errno) {
    _ = try once { rename(path, newPath) }
}

/// Makes the names in a directory durable. The corresponding C functions are `open` and `fsync`.
public func synchronizeDirectory(_ path: String) throws(Errno) {
    let directory = try FileDescriptor.open(path, [.readOnly, .directory])
    try directory.synchronize()
}

/// What statx(2) says of the file with this name; a symbolic link is not followed. The corresponding C functions are `open`
/// (O_PATH) and `statx`.
public func fileAttributes(at path: String) throws(Errno) -> FileAttributes {
    let file = try FileDescriptor.open(path, [.pathOnly, .noFollow])
    return try file.attributes()
}
