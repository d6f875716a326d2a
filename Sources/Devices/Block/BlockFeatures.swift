import LinuxSystem

/// Feature bits of a block device (virtio 1.2, 5.2.3).
struct BlockFeatures: OptionSet {
    let rawValue: UInt64

    static let sizeMaximum = BlockFeatures(rawValue: 1 << 1)  // VIRTIO_BLK_F_SIZE_MAX
    static let segmentMaximum = BlockFeatures(rawValue: 1 << 2)  // VIRTIO_BLK_F_SEG_MAX
    static let readOnly = BlockFeatures(rawValue: 1 << 5)  // VIRTIO_BLK_F_RO
    static let blockSize = BlockFeatures(rawValue: 1 << 6)  // VIRTIO_BLK_F_BLK_SIZE
    static let flush = BlockFeatures(rawValue: 1 << 9)  // VIRTIO_BLK_F_FLUSH
    static let topology = BlockFeatures(rawValue: 1 << 10)  // VIRTIO_BLK_F_TOPOLOGY
    static let multiQueue = BlockFeatures(rawValue: 1 << 12)  // VIRTIO_BLK_F_MQ
    static let discard = BlockFeatures(rawValue: 1 << 13)  // VIRTIO_BLK_F_DISCARD
    static let writeZeroes = BlockFeatures(rawValue: 1 << 14)  // VIRTIO_BLK_F_WRITE_ZEROES

    /// A driver that does not flush expects every write to be durable (5.2.6.2).
    var isWriteThrough: Bool { !contains(.flush) }
}

/// What a block device offers, settled when it is made: features are agreed upon once, and the disk of a placeholder comes
/// only later.
struct BlockOffer {
    static let queueSize: UInt16 = 256
    /// Bytes in one segment of a request. Not a limit of ours: it keeps a guest from building requests of gigabytes.
    static let segmentSize: UInt32 = 1 << 20
    /// Bytes of a request.
    static let largestTransfer = Int(queueSize) * Int(segmentSize)

    let traits: DiskTraits
    let isReadOnly: Bool
    let queueCount: Int
    let features: BlockFeatures

    /// - Parameters:
    ///   - disk: nil for a placeholder, which offers what most disks can, and answers UNSUPP where the one that comes
    ///     cannot.
    ///   - isReadOnly: of the placeholder.
    init(disk: DiskFile?, isReadOnly: Bool, cache: DiskCache, queueCount: Int) {
        var traits = disk?.traits ?? DiskTraits()
        if disk == nil {
            traits.canDiscard = true
            traits.canWriteZeroes = true
        }
        var features: BlockFeatures = [.sizeMaximum, .segmentMaximum, .blockSize, .topology]
        if isReadOnly {
            features.insert(.readOnly)
        } else {
            if traits.canDiscard { features.insert(.discard) }
            if traits.canWriteZeroes { features.insert(.writeZeroes) }
        }
        // A disk whose writes are durable has nothing to flush; the driver then takes it for write-through (5.2.6.2).
        if cache != .writethrough { features.insert(.flush) }
        if queueCount > 1 { features.insert(.multiQueue) }
        self.traits = traits
        self.isReadOnly = isReadOnly
        self.queueCount = queueCount
        self.features = features
    }

    /// struct virtio_blk_config up to write_zeroes_may_unmap, and its padding (5.2.4).
    ///
    /// - Parameter size: bytes of the disk.
    func configuration(size: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(60)
        func append<Value: FixedWidthInteger>(_ value: Value) {
            for index in 0..<(Value.bitWidth / 8) { bytes.append(UInt8(truncatingIfNeeded: value >> Value(8 * index))) }
        }
        let block = traits.logicalBlockSize
        append(size / DiskFile.sectorSize)  // capacity
        append(Self.segmentSize)  // size_max
        append(UInt32(Self.queueSize) - 2)  // seg_max: the header and the status need a descriptor each
        append(UInt32(0))  // geometry: not offered
        append(block)  // blk_size
        // topology, in blocks: physical_block_exp is a logarithm
        append(UInt8(truncatingIfNeeded: (traits.physicalBlockSize / block).trailingZeroBitCount))
        append(UInt8(0))  // alignment_offset
        append(UInt16(clamping: traits.minimumIOSize / block))  // min_io_size
        append(traits.optimalIOSize / block)  // opt_io_size
        append(UInt8(features.contains(.flush) ? 1 : 0))  // writeback
        append(UInt8(0))
        append(UInt16(clamping: queueCount))  // num_queues
        let sectors = BlockRequest.Segment.maximumSectors
        let segments = UInt32(BlockRequest.Segment.maximumCount)
        append(features.contains(.discard) ? sectors : 0)  // max_discard_sectors
        append(features.contains(.discard) ? segments : 0)  // max_discard_seg
        append(max(traits.discardGranularity / UInt32(DiskFile.sectorSize), 1))  // discard_sector_alignment
        append(features.contains(.writeZeroes) ? sectors : 0)  // max_write_zeroes_sectors
        append(features.contains(.writeZeroes) ? segments : 0)  // max_write_zeroes_seg
        append(UInt8(1))  // write_zeroes_may_unmap
        append(UInt8(0)); append(UInt16(0))
        return bytes
    }
}
