import CImage
import LinuxSystem

/// A file system that libext2fs has open for writing. One thread.
final class Ext4FileSystem {
    private var handle: ext2_filsys?
    private let path: String

    private init(_ handle: ext2_filsys, path: String) {
        self.handle = handle
        self.path = path
    }

    deinit {
        // Without writing: what is not closed is not whole.
        if let handle { ext2fs_free(handle) }
    }

    /// Begins a file system in a file that exists.
    convenience init(initializing path: String, _ parameters: inout ext2_super_block) throws(LayerFailure) {
        // Access lists and user attributes, as mke2fs has it: EXT2_DEFM_XATTR_USER, EXT2_DEFM_ACL.
        parameters.s_default_mount_opts = 0xC
        var handle: ext2_filsys?
        let code = ext2fs_initialize(path, EXT2_FLAG_64BITS, &parameters, svmm_file_io(), &handle)
        guard code == 0, let handle else { throw Self.failure(code, path) }
        self.init(handle, path: path)
    }

    /// Begins a file system in a file that exists: without a journal, for reading only.
    convenience init(creating path: String, _ layout: Ext4Layout) throws(LayerFailure) {
        var parameters = ext2_super_block()
        parameters.s_rev_level = 1
        parameters.s_log_block_size = 2
        parameters.s_inode_size = UInt16(Ext4Layout.inodeSize)
        parameters.s_blocks_count = UInt32(clamping: layout.blocks)
        parameters.s_inodes_count = UInt32(clamping: layout.groups * layout.inodesPerGroup)
        parameters.s_log_groups_per_flex = 4
        parameters.s_feature_compat = Feature.extendedAttributes | Feature.directoryIndex | Feature.sparseSuper2
        parameters.s_feature_incompat = Feature.fileType | Feature.extents | Feature.flexibleGroups
        parameters.s_feature_ro_compat = Feature.largeFile | Feature.hugeFile | Feature.manyLinks | Feature.extraInodeSize
        try self.init(initializing: path, &parameters)
        guard let handle, UInt64(handle.pointee.group_desc_count) == layout.groups,
              UInt64(handle.pointee.super.pointee.s_inodes_per_group) == layout.inodesPerGroup,
              UInt64(handle.pointee.super.pointee.s_blocks_count) == layout.blocks
        else { throw .image(.file(path: path, .invalidArgument)) }
    }

    /// Sets what names the file system and seeds its hashes, of four words, and when it was made; nil for now.
    func setIdentity(_ words: [UInt32], time: UInt32?) {
        guard let superblock = handle?.pointee.super else { return }
        if let time {
            handle?.pointee.now = time_t(time)
            superblock.pointee.s_mkfs_time = time
            superblock.pointee.s_lastcheck = time
            superblock.pointee.s_wtime = time
        }
        superblock.pointee.s_def_hash_version = DirectoryBlocks.hashVersion
        superblock.pointee.s_hash_seed = (words[0], words[1], words[2], words[3])
        withUnsafeMutableBytes(of: &superblock.pointee.s_uuid) { uuid in
            for (index, word) in words.enumerated() {
                uuid.storeBytes(of: word.bigEndian, toByteOffset: 4 * index, as: UInt32.self)
            }
            // A random one, says its form (RFC 9562).
            uuid[6] = uuid[6] & 0x0F | 0x40
            uuid[8] = uuid[8] & 0x3F | 0x80
        }
    }

    /// Says that blocks hold something.
    func markUsed(_ start: UInt64, _ end: UInt64) {
        // The count is an Int32 that may be large, but not that large: 2^32 blocks are 16 TiB.
        var start = start
        while start < end {
            let count = min(end - start, 1 << 30)
            ext2fs_block_alloc_stats_range(handle, start, blk_t(count), 1)
            start += count
        }
    }

    /// Says where inode tables and bitmaps are.
    func placeTables(_ layout: Ext4Layout) {
        for group in 0..<layout.groups {
            ext2fs_inode_table_loc_set(handle, dgrp_t(group), layout.tables + group * layout.inodeBlocksPerGroup)
            ext2fs_block_bitmap_loc_set(handle, dgrp_t(group), layout.blockBitmaps + group)
            ext2fs_inode_bitmap_loc_set(handle, dgrp_t(group), layout.inodeBitmaps + group)
        }
        markUsed(layout.tables, layout.end)
    }

    /// Makes the tables, a root directory with nothing in it and a journal, in a file that reads as zeros.
    func addEmptyRoot(journalBlocks: Int32) throws(LayerFailure) {
        var code = ext2fs_allocate_tables(handle)
        guard code == 0, let groups = handle?.pointee.group_desc_count else { throw Self.failure(code, path) }
        for number in 1..<Ext4Layout.firstInode where number != 2 { markInode(number, isDirectory: false) }
        code = ext2fs_mkdir(handle, 2, 2, nil)
        guard code == 0 else { throw Self.failure(code, path) }
        if journalBlocks > 0 {
            code = ext2fs_add_journal_inode(handle, blk_t(journalBlocks), EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK)
            guard code == 0 else { throw Self.failure(code, path) }
        }
        for group in 0..<groups {
            ext2fs_bg_flags_set(handle, group, UInt16(EXT2_BG_INODE_ZEROED))
            ext2fs_group_desc_csum_set(handle, group)
        }
    }

    /// Says that an inode is in use.
    func markInode(_ number: UInt32, isDirectory: Bool) {
        ext2fs_inode_alloc_stats2(handle, number, 1, isDirectory ? 1 : 0)
    }

    /// Sets a file's extended attributes, in its inode as far as they fit, and in a block.
    func setAttributes(_ attributes: FileTree.Attributes, ofInode number: UInt32) throws(LayerFailure) {
        var attributeHandle: OpaquePointer?
        var code = ext2fs_xattrs_open(handle, number, &attributeHandle)
        defer { ext2fs_xattrs_close(&attributeHandle) }
        for (name, value) in attributes where code == 0 {
            code = value.withUnsafeBytes { value in
                (name + [0]).withUnsafeBytes { name in
                    ext2fs_xattr_set(attributeHandle, name.baseAddress?.assumingMemoryBound(to: CChar.self), value.baseAddress,
                                     value.count)
                }
            }
            if code == Self.noRoom { break }
        }
        if code == 0 { code = ext2fs_xattrs_write(attributeHandle) }
        guard code == 0 else {
            if code == Self.noRoom {
                let size = attributes.reduce(0) { $0 + $1.name.count + $1.value.count }
                throw .invalid("a file has \(size) bytes of extended attributes, ext4 has room for about 4000")
            }
            throw Self.failure(code, path)
        }
    }

    /// Writes the superblock, the group descriptors and the bitmaps.
    func close() throws(LayerFailure) {
        guard let open = handle else { return }
        handle = nil
        let code = ext2fs_close2(open, EXT2_FLAG_FLUSH_NO_SYNC)
        guard code == 0 else {
            ext2fs_free(open)
            throw Self.failure(code, path)
        }
    }

    /// EXT2_ET_EA_NO_SPACE.
    private static let noRoom = errcode_t(EXT2_ET_EA_NO_SPACE)

    /// Small codes are error numbers of the system, others libext2fs's own.
    static func failure(_ code: errcode_t, _ path: String) -> LayerFailure {
        if code > 0, code < 4096 { return .image(ImageError(path, Errno(rawValue: Int32(code)))) }
        return .invalid("cannot make its file system: \(String(cString: error_message(code)))")
    }

    /// Feature bits that are macros with casts in the header.
    enum Feature {
        static let hasJournal: UInt32 = 0x4
        static let extendedAttributes: UInt32 = 0x8
        static let directoryIndex: UInt32 = 0x20
        static let sparseSuper2: UInt32 = 0x200
        static let fileType: UInt32 = 0x2
        static let extents: UInt32 = 0x40
        static let flexibleGroups: UInt32 = 0x200
        static let sparseSuper: UInt32 = 0x1
        static let largeFile: UInt32 = 0x2
        static let hugeFile: UInt32 = 0x8
        static let groupChecksums: UInt32 = 0x10
        static let manyLinks: UInt32 = 0x20
        static let extraInodeSize: UInt32 = 0x40
        static let metadataChecksums: UInt32 = 0x400
    }
}
