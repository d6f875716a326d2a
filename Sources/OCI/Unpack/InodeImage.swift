/// An inode of 256 bytes as ext4 keeps it. Source: the kernel's Documentation/filesystems/ext4/inodes.rst and ifork.rst.
struct InodeImage: ~Copyable {
    private let bytes: UnsafeMutableRawBufferPointer

    static let extentsFlag: UInt32 = 0x80000
    static let indexFlag: UInt32 = 0x1000
    /// Where the block map is: extents, a short link's target, or a device's number; 60 bytes.
    static let mapOffset = 40
    static let mapSize = 60

    /// Over memory of 256 bytes that the caller keeps; clears it.
    init(_ bytes: UnsafeMutableRawBufferPointer) {
        self.bytes = bytes
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    func store(_ value: some FixedWidthInteger, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { value in
            UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + value.count)]).copyMemory(from: value)
        }
    }

    /// Everything but the map.
    func set(_ inode: FileTree.Inode, size: UInt64, links: UInt32, blocks: UInt64, flags: UInt32) {
        store(inode.mode, at: 0)
        store(UInt16(truncatingIfNeeded: inode.user), at: 2)
        store(UInt32(truncatingIfNeeded: size), at: 4)
        store(UInt16(truncatingIfNeeded: inode.group), at: 24)
        store(UInt16(clamping: links), at: 26)
        // In units of 512 bytes.
        store(UInt32(truncatingIfNeeded: blocks * 8), at: 28)
        store(flags, at: 32)
        store(UInt32(truncatingIfNeeded: size >> 32), at: 108)
        store(UInt16(truncatingIfNeeded: blocks * 8 >> 32), at: 116)
        store(UInt16(truncatingIfNeeded: inode.user >> 16), at: 120)
        store(UInt16(truncatingIfNeeded: inode.group >> 16), at: 122)
        store(UInt16(32), at: 128)
        // Accessed, changed, modified and created: what a tar has is when it was modified.
        let (time, extra) = Self.time(inode.modified, inode.modifiedNanoseconds)
        for offset in [8, 12, 16, 144] { store(time, at: offset) }
        for offset in [132, 136, 140, 148] { store(extra, at: offset) }
    }

    /// The low 32 bits of the seconds; two more bits of them and the nanoseconds. What ext4 cannot say becomes the nearest time.
    private static func time(_ seconds: Int64, _ nanoseconds: UInt32) -> (UInt32, UInt32) {
        let seconds = min(max(seconds, -0x8000_0000), 0x3_7FFF_FFFF)
        let low = Int32(truncatingIfNeeded: seconds)
        let epoch = UInt32(truncatingIfNeeded: (seconds - Int64(low)) >> 32) & 3
        return (UInt32(bitPattern: low), nanoseconds << 2 | epoch)
    }

    func setMap(_ map: some Collection<UInt8>) {
        UnsafeMutableRawBufferPointer(rebasing: bytes[Self.mapOffset..<(Self.mapOffset + map.count)]).copyBytes(from: map)
    }

    func setDevice(major: UInt32, minor: UInt32) {
        if major < 256, minor < 256 {
            store(major << 8 | minor, at: Self.mapOffset)
        } else {
            store(minor & 0xFF | major << 8 | (minor & ~0xFF) << 12, at: Self.mapOffset + 4)
        }
    }
}

/// The map of a file's blocks: up to four extents in the inode, or a tree of blocks with 340 each.
struct ExtentMap {
    /// What the inode holds: a header of 12 bytes and up to four entries of 12.
    var root: [UInt8]
    /// Blocks that the tree takes.
    var treeBlocks: UInt64 = 0

    private static let inInode = 4
    private static let inBlock = (BlockWriter.blockSize - 12) / 12

    /// Of extents that fit the inode.
    init?(inline extents: ArraySlice<FileTree.Extent>) {
        guard extents.count <= Self.inInode else { return nil }
        root = Self.header(extents.count, limit: Self.inInode, depth: 0)
        for extent in extents { Self.append(extent, to: &root) }
    }

    /// Writes the tree's blocks.
    init(writing extents: ArraySlice<FileTree.Extent>, to writer: inout BlockWriter) throws(LayerFailure) {
        var depth: UInt16 = 0
        // The first block of the file under each entry of the level, and the entry itself.
        var level = extents.map { extent in
            var entry: [UInt8] = []
            Self.append(extent, to: &entry)
            return (logical: extent.logical, entry: entry)
        }
        while level.count > Self.inInode {
            var above: [(logical: UInt32, entry: [UInt8])] = []
            var start = 0
            while start < level.count {
                let end = min(start + Self.inBlock, level.count)
                var block = Self.header(end - start, limit: Self.inBlock, depth: depth)
                for index in start..<end { block += level[index].entry }
                let number = try block.withRawBytes { bytes throws(LayerFailure) in try writer.appendBlock(bytes) }
                treeBlocks += 1
                // struct ext4_extent_idx: the block, low and high; two bytes unused.
                var entry: [UInt8] = []
                Self.append(level[start].logical, to: &entry)
                Self.append(number, to: &entry)
                Self.append(UInt32(0), to: &entry)
                above.append((level[start].logical, entry))
                start = end
            }
            level = above
            depth += 1
        }
        root = Self.header(level.count, limit: Self.inInode, depth: depth)
        for (_, entry) in level { root += entry }
    }

    private static func header(_ count: Int, limit: Int, depth: UInt16) -> [UInt8] {
        var bytes: [UInt8] = []
        append(UInt16(0xF30A), to: &bytes)
        append(UInt16(count), to: &bytes)
        append(UInt16(limit), to: &bytes)
        append(depth, to: &bytes)
        append(UInt32(0), to: &bytes)
        return bytes
    }

    /// struct ext4_extent.
    private static func append(_ extent: FileTree.Extent, to bytes: inout [UInt8]) {
        append(extent.logical, to: &bytes)
        append(UInt16(extent.count), to: &bytes)
        append(UInt16(0), to: &bytes)
        append(extent.physical, to: &bytes)
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
