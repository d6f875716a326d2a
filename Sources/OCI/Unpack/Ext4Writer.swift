import CImage
import LinuxSystem

/// Makes the file system around an image's data: directories, inodes and tables, by libext2fs as far as it goes.
///
/// Data lies where `BlockWriter` has put it. The inodes are written here, in one sweep, because libext2fs reads and writes a
/// block for each; it makes the superblock, the group descriptors and the bitmaps, and sets the extended attributes.
struct Ext4Writer: ~Copyable {
    private var tree: FileTree
    private var blocks: BlockWriter
    private let path: String
    /// Of which the file system's identifier and the seed of its hash trees are made: the same layers make the same bytes.
    private let seed: [UInt32]

    /// Inodes by number, from `Ext4Layout.firstInode` on. The root's number is 2.
    private var order: [FileTree.InodeIndex] = []
    /// Nodes of directories, each before those below it.
    private var directories: [FileTree.NodeIndex] = []
    private var maps: [FileTree.InodeIndex: ExtentMap] = [:]
    private struct DirectoryTraits {
        var links: UInt32
        var isIndexed: Bool
    }
    private var directoryTraits: [FileTree.InodeIndex: DirectoryTraits] = [:]

    /// - Parameter hash: 32 bytes.
    init(_ layers: consuming LayerApplier, path: String, hash: [UInt8]) {
        tree = layers.tree
        blocks = layers.blocks
        self.path = path
        seed = (0..<4).map { index in hash[(4 * index)..<(4 * index + 4)].reduce(0) { $0 << 8 | UInt32($1) } }
    }

    /// Writes everything that is missing; returns how long the file has to be, in bytes. `firstBlock` is where data begins.
    mutating func finish(firstBlock: UInt32) throws(LayerFailure) -> UInt64 {
        numberInodes()
        try writeDirectories()
        try writeLinksAndMaps()
        try blocks.flush()
        let dataEnd = blocks.nextBlock
        let layout = Ext4Layout(
            tables: UInt64(dataEnd), inodes: UInt64(order.count) + UInt64(Ext4Layout.firstInode) - 1,
            spare: UInt64(tree.attributes.count))
        guard layout.blocks < UInt64(UInt32.max) else { throw .invalid("the image is too large for a file system") }
        try writeInodes()
        try blocks.flush()
        try makeFileSystem(layout, data: firstBlock..<dataEnd)
        return layout.blocks * UInt64(BlockWriter.blockSize)
    }

    // MARK: Numbers

    /// Directory by directory, so that what is listed together is read together.
    private mutating func numberInodes() {
        tree.inodes[0].number = 2
        directories = [FileTree.root]
        var next = Ext4Layout.firstInode
        var done = 0
        while done < directories.count {
            var child = tree.nodes[Int(directories[done])].firstChild
            done += 1
            while child != FileTree.none {
                let node = tree.nodes[Int(child)]
                if tree.inodes[Int(node.inode)].number == 0 {
                    tree.inodes[Int(node.inode)].number = next
                    next += 1
                    order.append(node.inode)
                }
                if tree.isDirectory(child) { directories.append(child) }
                child = node.next
            }
        }
    }

    // MARK: Directories

    private mutating func writeDirectories() throws(LayerFailure) {
        var writer = DirectoryBlocks(seed: seed)
        blocks.beginFile()
        for directory in directories {
            let node = tree.nodes[Int(directory)]
            var entries: [DirectoryBlocks.Entry] = []
            var links: UInt32 = 2
            var child = node.firstChild
            while child != FileTree.none {
                let inode = tree.inode(of: child)
                let type = Self.directoryType(inode.mode)
                if type == 2 { links += 1 }
                entries.append(.init(inode: inode.number, type: type, name: tree.name(of: child)))
                child = tree.nodes[Int(child)].next
            }
            let parent = tree.inode(of: node.parent).number
            let number = tree.inode(of: directory).number
            let (first, count, isIndexed) = try writer.write(entries, inode: number, parent: parent, to: &blocks)
            let extents = stride(from: 0, to: count, by: 32768).map { start in
                FileTree.Extent(logical: start, physical: first + start, count: min(count - start, 32768))
            }
            tree.inodes[Int(node.inode)].start = try tree.addExtents(extents)
            tree.inodes[Int(node.inode)].extentCount = UInt32(extents.count)
            tree.inodes[Int(node.inode)].size = UInt64(count) * UInt64(BlockWriter.blockSize)
            // With dir_nlink a directory of more links than the kernel counts has 1.
            directoryTraits[node.inode] = DirectoryTraits(links: links > 64999 ? 1 : links, isIndexed: isIndexed)
        }
    }

    /// EXT2_FT_REG_FILE and the like.
    private static func directoryType(_ mode: UInt16) -> UInt8 {
        switch mode & 0o170000 {
        case 0o100000: 1
        case 0o040000: 2
        case 0o020000: 3
        case 0o060000: 4
        case 0o010000: 5
        case 0o140000: 6
        case 0o120000: 7
        default: 0
        }
    }

    // MARK: Inodes

    /// The longest target that the inode itself holds, in the place of the map.
    private static let shortLink = InodeImage.mapSize - 1

    /// The blocks of links that are too long for their inodes, and of maps of many extents.
    private mutating func writeLinksAndMaps() throws(LayerFailure) {
        for index in [0] + order {
            let inode = tree.inodes[Int(index)]
            switch inode.mode & 0o170000 {
            case 0o120000 where inode.size > Self.shortLink:
                let target = Array(tree.target(of: inode))
                let block = try target.withRawBytes { bytes throws(LayerFailure) in try blocks.appendBlock(bytes) }
                let extents = [FileTree.Extent(logical: 0, physical: block, count: 1)]
                maps[index] = ExtentMap(inline: extents[...])
            case 0o100000 where inode.extentCount > 4, 0o040000 where inode.extentCount > 4:
                maps[index] = try ExtentMap(writing: extents(of: inode), to: &blocks)
            default: break
            }
        }
    }

    private func extents(of inode: FileTree.Inode) -> ArraySlice<FileTree.Extent> {
        tree.extents[Int(inode.start)..<(Int(inode.start) + Int(inode.extentCount))]
    }

    private mutating func writeInodes() throws(LayerFailure) {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: BlockWriter.blockSize, alignment: 16)
        defer { block.deallocate() }
        let perBlock = Int(Ext4Layout.inodesPerBlock)
        let last = order.count + Int(Ext4Layout.firstInode) - 1
        for first in stride(from: 1, through: last, by: perBlock) {
            block.initializeMemory(as: UInt8.self, repeating: 0)
            for number in first..<min(first + perBlock, last + 1) {
                let start = (number - first) * Ext4Layout.inodeSize
                let place = UnsafeMutableRawBufferPointer(rebasing: block[start..<(start + Ext4Layout.inodeSize)])
                if number == 2 {
                    fill(InodeImage(place), 0)
                } else if number >= Int(Ext4Layout.firstInode) {
                    fill(InodeImage(place), order[number - Int(Ext4Layout.firstInode)])
                }
            }
            _ = try blocks.appendBlock(UnsafeRawBufferPointer(block))
        }
    }

    private func fill(_ image: borrowing InodeImage, _ index: FileTree.InodeIndex) {
        let inode = tree.inodes[Int(index)]
        var (size, links, count, flags) = (inode.size, inode.links, UInt64(0), UInt32(0))
        switch inode.mode & 0o170000 {
        case 0o100000, 0o040000:
            let extents = extents(of: inode)
            let map = maps[index] ?? ExtentMap(inline: extents)
            count = extents.reduce(map?.treeBlocks ?? 0) { $0 + UInt64($1.count) }
            flags = InodeImage.extentsFlag
            if let map { image.setMap(map.root) }
            if let traits = directoryTraits[index] {
                links = traits.links
                if traits.isIndexed { flags |= InodeImage.indexFlag }
            }
        case 0o120000:
            if let map = maps[index] {
                (count, flags) = (1, InodeImage.extentsFlag)
                image.setMap(map.root)
            } else {
                image.setMap(tree.target(of: inode))
            }
        case 0o020000, 0o060000:
            size = 0
            image.setDevice(major: inode.major, minor: inode.minor)
        default:
            size = 0
        }
        image.set(inode, size: size, links: links, blocks: count, flags: flags)
    }

    // MARK: Tables

    private func makeFileSystem(_ layout: Ext4Layout, data: Range<UInt32>) throws(LayerFailure) {
        let fileSystem = try Ext4FileSystem(creating: path, layout)
        // Nothing depends on when it was made: the same layers make the same bytes.
        fileSystem.setIdentity(seed, time: 1)
        var data = data
        for range in freedRanges() {
            fileSystem.markUsed(UInt64(data.lowerBound), UInt64(range.lowerBound))
            data = range.upperBound..<data.upperBound
        }
        fileSystem.markUsed(UInt64(data.lowerBound), UInt64(data.upperBound))
        fileSystem.placeTables(layout)
        for number in 1..<Ext4Layout.firstInode { fileSystem.markInode(number, isDirectory: number == 2) }
        for (offset, index) in order.enumerated() {
            fileSystem.markInode(Ext4Layout.firstInode + UInt32(offset),
                                 isDirectory: tree.inodes[Int(index)].mode & 0o170000 == 0o040000)
        }
        for index in [0] + order where tree.inodes[Int(index)].attributes > 0 {
            let inode = tree.inodes[Int(index)]
            try fileSystem.setAttributes(tree.attributes[Int(inode.attributes) - 1], ofInode: inode.number)
        }
        try fileSystem.close()
    }

    /// Blocks of files that are gone, in order and without overlap.
    private func freedRanges() -> [Range<UInt32>] {
        tree.freed.map { $0.physical..<($0.physical + $0.count) }.sorted { $0.lowerBound < $1.lowerBound }
    }
}
