import CLinux
import Glibc

/// What fstat(2) says of an open file.
public struct FileStatus: Sendable {
    public enum Kind: Sendable {
        case regular, directory, blockDevice, characterDevice, fifo, socket, other
    }

    /// Device and inode: the same for all names of a file.
    public struct Identity: Equatable, Sendable {
        let device: UInt64
        let inode: UInt64
    }

    public let identity: Identity
    public let kind: Kind
    /// Bytes, for regular files; 0 for devices.
    public let size: UInt64
}

extension FileDescriptor {
    /// Kind and size of the open file. The corresponding C function is `fstat`.
    public func status() throws(Errno) -> FileStatus {
        try LinuxSystem.fileStatus(of: raw)
    }

    /// Capacity in bytes of the block device that is open. The corresponding C function is `ioctl` (BLKGETSIZE64).
    public func blockDeviceSize() throws(Errno) -> UInt64 {
        var size: UInt64 = 0
        _ = try once { svmm_ioctl_pointer(raw, svmm_blkgetsize64, &size) }
        return size
    }

    /// Reads up to `buffer.count` bytes at the file's own position; 0 at the end. The corresponding C function is `read`.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try LinuxSystem.read(raw, into: buffer)
    }

    /// Reads at an offset until the buffer is full or the file ends; returns the bytes read. The C function is `pread`.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            let count = try retryingInterrupts {
                pread(raw, buffer.baseAddress! + done, buffer.count - done, off_t(clamping: offset + UInt64(done)))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// The first bytes of the file, at most `limit` of them. The corresponding C function is `pread`.
    public func prefix(_ limit: Int) throws(Errno) -> [UInt8] {
        var result: Result<Int, Errno> = .success(0)
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            do throws(Errno) {
                count = try read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
            } catch {
                result = .failure(error)
            }
        }
        _ = try result.get()
        return bytes
    }

    /// Takes an open-file-description lock on the whole file: shared, or exclusive. Returns false when another open file
    /// holds a lock that conflicts. The lock ends with the open file. The corresponding C function is `fcntl` (F_OFD_SETLK).
    public func tryLock(exclusive: Bool) throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try retryingInterrupts { svmm_lock_whole_file(raw, exclusive ? F_WRLCK : F_RDLCK) }
            return true
        } catch {
            if error == .again || error == .accessDenied { return false }
            throw error
        }
    }
}

/// Kind and size of an open file that somebody else owns. The corresponding C function is `fstat`.
public func fileStatus(of raw: Int32) throws(Errno) -> FileStatus {
    var status = stat()
    _ = try once { fstat(raw, &status) }
    return FileStatus(status)
}

/// Kind and size of the file with this name, symbolic links followed or not. The C functions are `stat` and `lstat`.
public func fileStatus(at path: String, followingLinks: Bool = true) throws(Errno) -> FileStatus {
    var status = stat()
    _ = try once { followingLinks ? stat(path, &status) : lstat(path, &status) }
    return FileStatus(status)
}

extension FileStatus {
    fileprivate init(_ status: stat) {
        let kind: FileStatus.Kind = switch status.st_mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFBLK: .blockDevice
        case S_IFCHR: .characterDevice
        case S_IFIFO: .fifo
        case S_IFSOCK: .socket
        default: .other
        }
        self.init(identity: Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)), kind: kind,
                  size: UInt64(clamping: status.st_size))
    }
}

/// Reads up to `buffer.count` bytes; 0 at the end of the file. The corresponding C function is `read`.
public func read(_ raw: Int32, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    try retryingInterrupts { Glibc.read(raw, buffer.baseAddress, buffer.count) }
}

/// As `read`, waiting where a descriptor that others share is non-blocking; nil when it fails.
public func readWhenReady(_ raw: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    while true {
        do throws(Errno) {
            return try read(raw, into: buffer)
        } catch {
            guard error == .again else { return nil }
            waitForInput(raw)
        }
    }
}

/// The contents of a small file such as those of /proc, cut at `limit` bytes; nil when it cannot be read.
public func contents(ofSmallFile path: String, limit: Int = 1 << 20) -> [UInt8]? {
    guard let file = try? FileDescriptor.open(path, .readOnly) else { return nil }
    return try? file.prefix(limit)
}

/// As `contents(ofSmallFile:limit:)`, of a file that may have become a pipe or a device since it was named: nil for those, at once.
public func contentsWithoutWaiting(_ path: String, limit: Int) -> [UInt8]? {
    guard let file = try? FileDescriptor.open(path, [.readOnly, .nonBlocking, .noControllingTerminal]),
          (try? file.status().kind) == .regular else { return nil }
    return try? file.prefix(limit)
}
