import CImage

/// The blocks of an ext4 directory. Source: the kernel's Documentation/filesystems/ext4/directory.rst.
///
/// A directory of more than a block has a hash tree, so that a lookup among hundreds of thousands of names reads three blocks.
struct DirectoryBlocks: ~Copyable {
    struct Entry {
        var inode: UInt32
        /// The type of file as directories say it (EXT2_FT_REG_FILE and the like).
        var type: UInt8
        var name: ArraySlice<UInt8>
        fileprivate var hash: UInt32 = 0
        fileprivate var minorHash: UInt32 = 0

        init(inode: UInt32, type: UInt8, name: ArraySlice<UInt8>) {
            (self.inode, self.type, self.name) = (inode, type, name)
        }
    }

    /// The superblock's s_hash_seed.
    private let seed: [UInt32]
    private let block = UnsafeMutableRawBufferPointer.allocate(byteCount: BlockWriter.blockSize, alignment: 16)

    private static let size = BlockWriter.blockSize
    private static let directoryType: UInt8 = 2
    /// Entries of a tree's root block, behind `.`, `..` and 8 bytes that describe the tree, and of the blocks below it.
    private static let rootLimit = (size - 32) / 8
    private static let nodeLimit = (size - 8) / 8
    /// EXT2_HASH_HALF_MD4.
    static let hashVersion: UInt8 = 1

    init(seed: [UInt32]) {
        self.seed = seed
    }

    deinit {
        block.deallocate()
    }

    /// Writes a directory; returns its first block, how many follow each other, and whether they have a hash tree.
    mutating func write(
        _ entries: [Entry], inode: UInt32, parent: UInt32, to writer: inout BlockWriter
    ) throws(LayerFailure) -> (first: UInt32, count: UInt32, isIndexed: Bool) {
        let length = entries.reduce(24) { $0 + Self.length($1.name.count) }
        let first = writer.nextBlock
        guard length > Self.size else {
            let end = put(".", inode, at: 0, length: 12)
            let last = put("..", parent, at: end, length: entries.isEmpty ? Self.size - end : 12)
            fill(entries[...], from: last)
            _ = try writer.appendBlock(UnsafeRawBufferPointer(block))
            return (first, 1, false)
        }
        let sorted = try hashed(entries)
        let leaves = split(sorted)
        let nodeCount = leaves.count <= Self.rootLimit ? 0 : (leaves.count + Self.nodeLimit - 1) / Self.nodeLimit
        guard nodeCount <= Self.rootLimit else { throw .invalid("a directory of \(entries.count) names is too large") }
        try writeTree(leaves, nodeCount, sorted, inode: inode, parent: parent, to: &writer)
        for (index, start) in leaves.enumerated() {
            fill(sorted[start..<(index + 1 < leaves.count ? leaves[index + 1] : sorted.count)], from: 0)
            _ = try writer.appendBlock(UnsafeRawBufferPointer(block))
        }
        return (first, UInt32(1 + nodeCount + leaves.count), true)
    }

    /// Bytes of an entry with a name of this length.
    private static func length(_ name: Int) -> Int { (8 + name + 3) & ~3 }

    private func hashed(_ entries: [Entry]) throws(LayerFailure) -> [Entry] {
        var entries = entries
        for index in entries.indices {
            var (hash, minor): (ext2_dirhash_t, ext2_dirhash_t) = (0, 0)
            let name = entries[index].name
            let result = name.withUnsafeBytes { name in
                ext2fs_dirhash2(Int32(Self.hashVersion), name.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(name.count),
                                nil, 0, seed, &hash, &minor)
            }
            guard result == 0 else { throw .invalid("\(quoted(name)): no hash for the name") }
            (entries[index].hash, entries[index].minorHash) = (hash, minor)
        }
        entries.sort { ($0.hash, $0.minorHash) < ($1.hash, $1.minorHash) }
        return entries
    }

    /// Where each block's entries begin.
    private func split(_ entries: [Entry]) -> [Int] {
        var starts = [0]
        var used = 0
        for (index, entry) in entries.enumerated() {
            let length = Self.length(entry.name.count)
            if used + length > Self.size {
                starts.append(index)
                used = 0
            }
            used += length
        }
        return starts
    }

    /// Writes the root of the hash tree and the blocks between it and the leaves, of which there are none in small trees.
    private func writeTree(
        _ leaves: [Int], _ nodeCount: Int, _ entries: [Entry], inode: UInt32, parent: UInt32, to writer: inout BlockWriter
    ) throws(LayerFailure) {
        // A leaf is found by the hash that it begins with; the lowest bit says that the leaf before ends with the same.
        let keys = leaves.map { start in
            entries[start].hash | (start > 0 && entries[start - 1].hash == entries[start].hash ? 1 : 0)
        }
        let firstLeaf = UInt32(1 + nodeCount)
        let end = put(".", inode, at: 0, length: 12)
        _ = put("..", parent, at: end, length: Self.size - end)
        // struct dx_root_info: reserved, hash version, its own length, levels below the root, flags.
        store(UInt32(0), at: 24)
        block[28] = Self.hashVersion
        block[29] = 8
        block[30] = nodeCount == 0 ? 0 : 1
        block[31] = 0
        if nodeCount == 0 {
            putIndex(keys.enumerated().map { ($1, firstLeaf + UInt32($0)) }, at: 32, limit: Self.rootLimit)
        } else {
            let nodes = (0..<nodeCount).map { (keys[$0 * Self.nodeLimit], UInt32(1 + $0)) }
            putIndex(nodes, at: 32, limit: Self.rootLimit)
        }
        _ = try writer.appendBlock(UnsafeRawBufferPointer(block))
        for node in 0..<nodeCount {
            let range = (node * Self.nodeLimit)..<min((node + 1) * Self.nodeLimit, keys.count)
            // An entry of no name as long as the block hides the rest from who does not know hash trees.
            store(UInt32(0), at: 0)
            store(UInt16(Self.size), at: 4)
            store(UInt16(0), at: 6)
            putIndex(range.map { (keys[$0], firstLeaf + UInt32($0)) }, at: 8, limit: Self.nodeLimit)
            _ = try writer.appendBlock(UnsafeRawBufferPointer(block))
        }
    }

    /// struct dx_entry: the first one's hash is zero by definition, and limit and count lie in its place.
    private func putIndex(_ entries: [(hash: UInt32, block: UInt32)], at offset: Int, limit: Int) {
        store(UInt16(limit), at: offset)
        store(UInt16(entries.count), at: offset + 2)
        for (index, entry) in entries.enumerated() {
            if index > 0 { store(entry.hash, at: offset + 8 * index) }
            store(entry.block, at: offset + 8 * index + 4)
        }
        let used = offset + 8 * entries.count
        UnsafeMutableRawBufferPointer(rebasing: block[used...]).initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// Puts entries from `offset` on, the last one up to the end of the block.
    private func fill(_ entries: ArraySlice<Entry>, from offset: Int) {
        var offset = offset
        for (index, entry) in zip(entries.indices, entries) {
            let length = index == entries.endIndex - 1 ? Self.size - offset : Self.length(entry.name.count)
            offset = put(entry.name, entry.inode, type: entry.type, at: offset, length: length)
        }
    }

    private func put(_ name: String, _ inode: UInt32, at offset: Int, length: Int) -> Int {
        put(Array(name.utf8)[...], inode, type: Self.directoryType, at: offset, length: length)
    }

    /// Puts a struct ext4_dir_entry_2; returns where the next one begins.
    private func put(_ name: ArraySlice<UInt8>, _ inode: UInt32, type: UInt8, at offset: Int, length: Int) -> Int {
        store(inode, at: offset)
        store(UInt16(length), at: offset + 4)
        block[offset + 6] = UInt8(name.count)
        block[offset + 7] = type
        UnsafeMutableRawBufferPointer(rebasing: block[(offset + 8)..<(offset + 8 + name.count)]).copyBytes(from: name)
        let used = offset + 8 + name.count
        UnsafeMutableRawBufferPointer(rebasing: block[used..<(offset + length)]).initializeMemory(as: UInt8.self, repeating: 0)
        return offset + length
    }

    private func store(_ value: some FixedWidthInteger, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { bytes in
            UnsafeMutableRawBufferPointer(rebasing: block[offset..<(offset + bytes.count)]).copyMemory(from: bytes)
        }
    }
}
