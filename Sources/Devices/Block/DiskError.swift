import LinuxSystem

/// Why a file cannot be a disk.
public enum DiskError: Error, Equatable, CustomStringConvertible {
    case open(Errno)
    case kind(String)
    case empty
    case size(UInt64)
    case inUse(writable: Bool)
    /// The file is there already, and has another size than it was to be made with.
    case otherSize(found: UInt64, wanted: UInt64)
    /// Direct I/O is not to be had.
    case direct(Errno)
    /// Only regular files can be given another size.
    case resize(Errno?)

    public var description: String {
        switch self {
        case .open(let error): "\(error)"
        case .kind(let found): "\(found), expected a raw disk image or a block device"
        case .empty: "0 bytes long, expected a raw disk image of at least 512 bytes"
        case .size(let size):
            "\(size) bytes long, expected a multiple of 512; extend it with: truncate -s %512 FILE"
        case .inUse(let writable):
            writable ? "in use, by another virtual machine or twice by this one; expected a disk of its own, or ,ro for all"
                : "in use for writing, by another virtual machine or by this one; wait for its end or give this one a copy"
        case .otherSize(let found, let wanted):
            "\(found) bytes long, and size= says \(wanted); leave size= away to use it as it is"
        case .direct(let error): "cache=none: its file system takes no direct I/O (\(error)); use another cache="
        case .resize(let error):
            error.map { "cannot be given another size: \($0)" } ?? "a block device, whose size is not svmm's to change"
        }
    }
}

/// How what the guest writes gets to the disk.
public enum DiskCache: UInt8, Sendable, CaseIterable {
    /// Through the host's page cache; durable when the guest flushes.
    case writeback
    /// Through the host's page cache, and durable before the guest hears of it.
    case writethrough
    /// Past the host's page cache (O_DIRECT); durable when the guest flushes.
    case none
}
