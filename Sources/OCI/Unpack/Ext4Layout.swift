/// How large a root image's file system is, and where its tables lie: behind everything else, so that data can be written
/// before anybody knows how much there is.
///
/// Blocks are of 4096 bytes, groups of 32768 blocks. The begin of the image holds the superblock and room for the group
/// descriptors; there are no copies of them (sparse_super2), and with flex_bg tables may lie anywhere: data is one piece.
struct Ext4Layout {
    static let blocksPerGroup: UInt64 = 32768
    static let inodeSize = 256
    static let inodesPerBlock = UInt64(BlockWriter.blockSize / inodeSize)
    /// The first inode that is not reserved (EXT2_GOOD_OLD_FIRST_INO).
    static let firstInode: UInt32 = 11
    /// Bytes of a group's descriptor without 64bit.
    private static let descriptorSize: UInt64 = 32

    /// The first block of the inode tables, which follow each other, as do the bitmaps behind them.
    let tables: UInt64
    let groups: UInt64
    /// A multiple of 16: the tables have no unused space inside a block.
    let inodesPerGroup: UInt64
    let blocks: UInt64

    var inodeBlocksPerGroup: UInt64 { inodesPerGroup / Self.inodesPerBlock }
    var blockBitmaps: UInt64 { tables + groups * inodeBlocksPerGroup }
    var inodeBitmaps: UInt64 { blockBitmaps + groups }
    var end: UInt64 { inodeBitmaps + groups }

    /// - Parameters:
    ///   - tables: the first block behind the data.
    ///   - inodes: the last inode's number.
    ///   - spare: blocks that stay free, for extended attributes.
    init(tables: UInt64, inodes: UInt64, spare: UInt64) {
        self.tables = tables
        // A group's inodes fit one block of bitmap: 32768.
        var groups = max(1, (inodes + Self.blocksPerGroup - 1) / Self.blocksPerGroup)
        while true {
            let share = (inodes + groups - 1) / groups
            let inodesPerGroup = (share + Self.inodesPerBlock - 1) / Self.inodesPerBlock * Self.inodesPerBlock
            let tableBlocks = inodesPerGroup / Self.inodesPerBlock
            var blocks = max(tables + groups * (tableBlocks + 2) + spare, (groups - 1) * Self.blocksPerGroup + 1)
            // libext2fs cuts off a last group that has no room for tables of its own and fifty blocks more.
            let inLast = blocks % Self.blocksPerGroup
            let atLeast = tableBlocks + 2 + 50
            if inLast != 0, inLast < atLeast { blocks += atLeast - inLast }
            let needed = (blocks + Self.blocksPerGroup - 1) / Self.blocksPerGroup
            if needed <= groups {
                (self.groups, self.inodesPerGroup, self.blocks) = (groups, inodesPerGroup, blocks)
                return
            }
            groups = needed
        }
    }

    /// Where data begins: behind the superblock and the descriptors of as many groups as 32-bit block numbers reach, 4 MiB. What
    /// an image does not use of that is a hole.
    static let firstDataBlock = UInt32(1 + (1 << 32) / blocksPerGroup * descriptorSize / 4096)
}
