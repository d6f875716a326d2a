import CLinux
import Glibc

/// A point in time as file systems keep it.
public struct FileTime: Sendable, Comparable {
    /// Since 1970; negative before.
    public var seconds: Int64
    /// 0...999,999,999.
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func < (left: FileTime, right: FileTime) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    init(_ time: statx_timestamp) {
        self.init(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
    }
}

/// The type of a file: the S_IFMT bits of its mode.
public enum FileType: UInt32, Sendable {
    case fifo = 0o010000
    case characterDevice = 0o020000
    case directory = 0o040000
    case blockDevice = 0o060000
    case regular = 0o100000
    case symbolicLink = 0o120000
    case socket = 0o140000

    /// The bits of a mode that say the type (S_IFMT).
    public static let mask: UInt32 = 0o170000

    /// nil for bits that are no type.
    public init?(mode: UInt32) {
        self.init(rawValue: mode & Self.mask)
    }

    /// As directories list it (DT_REG and the like).
    public var directoryEntryType: UInt8 { UInt8(rawValue >> 12) }
}

/// What statx(2) says of a file.
public struct FileAttributes: Sendable, Equatable {
    /// Type and permissions.
    public var mode: UInt32
    public var links: UInt32
    public var user: UInt32
    public var group: UInt32
    /// Of a device node; 0 for every other file.
    public var deviceMajor: UInt32
    public var deviceMinor: UInt32
    public var size: UInt64
    /// The size of transfers that suits the file system, in bytes.
    public var blockSize: UInt32
    /// Allocated, in units of 512 bytes.
    public var blocks: UInt64
    public var accessed: FileTime
    public var modified: FileTime
    public var changed: FileTime
    /// nil where the file system does not keep it.
    public var created: FileTime?
    /// Of the file system that holds the file: major in the upper half, minor in the lower.
    public var device: UInt64
    public var inode: UInt64

    /// Of a directory that no file system has: nobody writes it, and it changed last at `time`.
    public init(syntheticDirectory inode: UInt64, permissions: UInt32, time: FileTime) {
        mode = FileType.directory.rawValue | permissions
        links = 2
        user = 0
        group = 0
        deviceMajor = 0
        deviceMinor = 0
        size = 0
        blockSize = 4096
        blocks = 0
        accessed = time
        modified = time
        changed = time
        created = nil
        device = 0
        self.inode = inode
    }

    init(_ status: statx) {
        mode = UInt32(status.stx_mode)
        links = status.stx_nlink
        user = status.stx_uid
        group = status.stx_gid
        deviceMajor = status.stx_rdev_major
        deviceMinor = status.stx_rdev_minor
        size = status.stx_size
        blockSize = status.stx_blksize
        blocks = status.stx_blocks
        accessed = FileTime(status.stx_atime)
        modified = FileTime(status.stx_mtime)
        changed = FileTime(status.stx_ctime)
        let hasCreationTime = status.stx_mask & 0x800 != 0  // STATX_BTIME
        created = hasCreationTime ? FileTime(status.stx_btime) : nil
        device = UInt64(status.stx_dev_major) << 32 | UInt64(status.stx_dev_minor)
        inode = status.stx_ino
    }
}

extension FileDescriptor {
    /// Of the open file, also one opened as a path only. The corresponding C function is `statx` (AT_EMPTY_PATH).
    public func attributes() throws(Errno) -> FileAttributes {
        var status = statx()
        _ = try once { svmm_statx(raw, "", Int32(SVMM_AT_EMPTY_PATH.rawValue), &status) }
        return FileAttributes(status)
    }

    /// Of what has this name in the open directory; a symbolic link is not followed. The corresponding C function is
    /// `statx` (AT_SYMLINK_NOFOLLOW).
    public func attributes(of name: FileName) throws(Errno) -> FileAttributes {
        var status = statx()
        _ = try once { svmm_statx(raw, name.characters, Int32(SVMM_AT_SYMLINK_NOFOLLOW.rawValue), &status) }
        return FileAttributes(status)
    }

    /// Gives the file, also one opened as a path only, to a user and a group; nil leaves one as it is. The
    /// corresponding C function is `fchownat` (AT_EMPTY_PATH).
    public func setOwner(user: UInt32?, group: UInt32?) throws(Errno) {
        let (user, group) = (user ?? UInt32.max, group ?? UInt32.max)
        _ = try once { fchownat(raw, "", user, group, Int32(SVMM_AT_EMPTY_PATH.rawValue)) }
    }

    /// Sets the permissions of a file that is open for more than its path. The corresponding C function is `fchmod`.
    public func setPermissions(_ permissions: UInt32) throws(Errno) {
        _ = try once { fchmod(raw, permissions) }
    }

    /// Sets the times of the file, also of one opened as a path only. The corresponding C function is `utimensat`
    /// (AT_EMPTY_PATH, Linux 5.8).
    public func setTimes(accessed: FileTimeChange, modified: FileTimeChange) throws(Errno) {
        var times = (accessed.value, modified.value)
        _ = try once {
            withUnsafeBytes(of: &times) { bytes in
                let times = bytes.assumingMemoryBound(to: timespec.self)
                return utimensat(raw, "", times.baseAddress, Int32(SVMM_AT_EMPTY_PATH.rawValue))
            }
        }
    }

    /// Makes the file this long; what is added reads as zeros. The corresponding C function is `ftruncate`.
    public func setSize(_ size: UInt64) throws(Errno) {
        guard let size = off_t(exactly: size) else { throw .invalidArgument }
        _ = try retryingInterrupts { ftruncate(raw, size) }
    }

    /// Makes data and attributes durable. The corresponding C function is `fsync`.
    public func synchronize() throws(Errno) {
        _ = try retryingInterrupts { fsync(raw) }
    }
}

/// What happens to one of a file's times.
public enum FileTimeChange: Sendable, Equatable {
    case keep
    case now
    case set(FileTime)

    fileprivate var value: timespec {
        switch self {
        case .keep: timespec(tv_sec: 0, tv_nsec: Int(SVMM_UTIME_OMIT.rawValue))
        case .now: timespec(tv_sec: 0, tv_nsec: Int(SVMM_UTIME_NOW.rawValue))
        case .set(let time): timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
        }
    }
}
