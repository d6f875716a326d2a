import CLinux
import Glibc

/// What happens to a range of a file.
public enum RangeOperation: Sendable {
    /// The blocks go back to the file system; the range reads as zeros. FALLOC_FL_PUNCH_HOLE.
    case punchHole
    /// Reads as zeros, and keeps its blocks. FALLOC_FL_ZERO_RANGE.
    case zero
    /// Gets blocks where it has none; what it reads stays.
    case allocate
}

/// What a block device's driver can do and prefers: /sys/dev/block/*/queue. Bytes; 0 where it cannot, or does not say.
public struct BlockQueueLimits: Equatable, Sendable {
    public var logicalBlockSize: UInt32 = 0
    public var physicalBlockSize: UInt32 = 0
    public var minimumIOSize: UInt32 = 0
    public var optimalIOSize: UInt32 = 0
    public var discardGranularity: UInt32 = 0
    public var discardMaximum: UInt64 = 0
    public var writeZeroesMaximum: UInt64 = 0
}

extension FileDescriptor {
    /// Changes a range of the file, whose size stays. The corresponding C function is `fallocate`.
    public func change(_ operation: RangeOperation, from offset: UInt64, count: UInt64) throws(Errno) {
        let mode: Int32 = switch operation {
        case .punchHole: Int32(SVMM_PUNCH_HOLE.rawValue)
        case .zero: Int32(SVMM_ZERO_RANGE.rawValue)
        case .allocate: Int32(SVMM_ALLOCATE.rawValue)
        }
        guard let offset = off_t(exactly: offset), let count = off_t(exactly: count) else { throw .invalidArgument }
        _ = try retryingInterrupts { fallocate(raw, mode, offset, count) }
    }

    /// Tells the block device that a range's data is not needed. The corresponding C function is `ioctl` (BLKDISCARD).
    public func discardBlocks(from offset: UInt64, count: UInt64) throws(Errno) {
        var range = (offset, count)
        _ = try once { svmm_ioctl_pointer(raw, svmm_blkdiscard, &range) }
    }

    /// The limits of the block device that is open, or of the one that it is a partition of. The files read are those of
    /// /sys/dev/block.
    public func blockQueueLimits() throws(Errno) -> BlockQueueLimits {
        var status = stat()
        _ = try once { fstat(raw, &status) }
        let number = UInt64(status.st_rdev)
        let place = "/sys/dev/block/\(svmm_device_major(number)):\(svmm_device_minor(number))"
        let folders = ["\(place)/queue", "\(place)/../queue"]
        func value<Value: FixedWidthInteger>(_ name: String) -> Value {
            for folder in folders {
                guard let bytes = contents(ofSmallFile: "\(folder)/\(name)", limit: 64) else { continue }
                return Value(String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)) ?? 0
            }
            return 0
        }
        var logicalSize: Int32 = 0
        _ = try once { svmm_ioctl_pointer(raw, svmm_blksszget, &logicalSize) }
        return BlockQueueLimits(
            logicalBlockSize: UInt32(clamping: logicalSize), physicalBlockSize: value("physical_block_size"),
            minimumIOSize: value("minimum_io_size"), optimalIOSize: value("optimal_io_size"),
            discardGranularity: value("discard_granularity"), discardMaximum: value("discard_max_bytes"),
            writeZeroesMaximum: value("write_zeroes_max_bytes"))
    }

    /// What O_DIRECT wants of memory addresses and of offsets and lengths, in bytes; nil where the kernel does not say. The
    /// corresponding C function is `statx` (STATX_DIOALIGN, Linux 6.1).
    public func directAlignment() -> (memory: Int, offset: Int)? {
        var (memory, offset): (UInt32, UInt32) = (0, 0)
        guard svmm_direct_alignment(raw, &memory, &offset) == 0, memory > 0, offset > 0 else { return nil }
        return (Int(memory), Int(offset))
    }

    /// The same file opened anew, by its number, with a mode of its own. The corresponding C function is `open`
    /// (/proc/self/fd).
    public func reopened(_ mode: OpenMode) throws(Errno) -> FileDescriptor {
        try .open("/proc/self/fd/\(raw)", mode)
    }
}
