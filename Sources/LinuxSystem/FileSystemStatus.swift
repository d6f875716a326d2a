import CLinux
import Glibc

/// What statfs(2) says of a file system.
public struct FileSystemStatus: Sendable {
    /// EXT4_SUPER_MAGIC and the like.
    public let type: UInt32
    public let blockSize: UInt32
    public let blocks: UInt64
    public let freeBlocks: UInt64
    /// Of those, what others than root may use.
    public let availableBlocks: UInt64
    public let files: UInt64
    public let freeFiles: UInt64
    public let identifier: UInt64
    public let maximumNameLength: UInt32

    /// PROC_SUPER_MAGIC.
    public static let proc: UInt32 = 0x9FA0
}

extension FileDescriptor {
    /// Of the file system that holds the open file, also one opened as a path only. The corresponding C function is
    /// `fstatfs`.
    public func fileSystemStatus() throws(Errno) -> FileSystemStatus {
        var status = statfs()
        _ = try retryingInterrupts { fstatfs(raw, &status) }
        return FileSystemStatus(
            type: UInt32(truncatingIfNeeded: status.f_type), blockSize: UInt32(clamping: status.f_bsize),
            blocks: UInt64(status.f_blocks), freeBlocks: UInt64(status.f_bfree),
            availableBlocks: UInt64(status.f_bavail), files: UInt64(status.f_files), freeFiles: UInt64(status.f_ffree),
            identifier: svmm_filesystem_identifier(&status), maximumNameLength: UInt32(clamping: status.f_namelen))
    }
}
