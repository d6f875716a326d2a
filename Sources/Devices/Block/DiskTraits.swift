import LinuxSystem

/// What a disk's file can do and prefers.
struct DiskTraits: Equatable, Sendable {
    var isBlockDevice = false
    /// Bytes, powers of two, at least a sector each: what transfers consist of, and what the disk writes without reading.
    var logicalBlockSize: UInt32 = 512
    var physicalBlockSize: UInt32 = 512
    /// Bytes; 0 where nothing is preferred.
    var minimumIOSize: UInt32 = 0
    var optimalIOSize: UInt32 = 0
    /// Bytes: what can be given back consists of these.
    var discardGranularity: UInt32 = 512
    var canDiscard = false
    var canWriteZeroes = false

    /// Of a disk that is not there yet.
    init() {}

    init(of file: borrowing FileDescriptor) throws(Errno) {
        if try file.status().kind == .blockDevice {
            let limits = try file.blockQueueLimits()
            isBlockDevice = true
            logicalBlockSize = Self.blockSize(limits.logicalBlockSize) ?? 512
            physicalBlockSize = max(Self.blockSize(limits.physicalBlockSize) ?? 512, logicalBlockSize)
            minimumIOSize = limits.minimumIOSize
            optimalIOSize = limits.optimalIOSize
            discardGranularity = max(limits.discardGranularity, logicalBlockSize)
            canDiscard = limits.discardMaximum > 0
            canWriteZeroes = limits.writeZeroesMaximum > 0
        } else {
            physicalBlockSize = Self.blockSize(try file.attributes().blockSize) ?? 4096
            minimumIOSize = physicalBlockSize
            discardGranularity = physicalBlockSize
        }
    }

    /// A power of two from 512 to 64 KiB; nil else.
    private static func blockSize(_ size: UInt32) -> UInt32? {
        size >= 512 && size <= 64 << 10 && size & (size - 1) == 0 ? size : nil
    }

    /// Finds out whether holes can be punched into a regular file, behind whose end there is nothing to lose.
    mutating func probeRangeOperations(_ file: borrowing FileDescriptor, size: UInt64) {
        guard !isBlockDevice else { return }
        let block = UInt64(physicalBlockSize)
        // Past the last block, which the file's end may lie within.
        let (end, overflow) = (size / block).addingReportingOverflow(1)
        guard !overflow, end < UInt64(Int64.max) / block - 1 else { return }
        canDiscard = (try? file.change(.punchHole, from: end * block, count: block)) != nil
        // Zeros with blocks behind them are a hole that is filled again, where there is no shorter way.
        canWriteZeroes = canDiscard
    }
}
