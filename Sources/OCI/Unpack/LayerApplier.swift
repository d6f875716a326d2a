/// Applies layers, from the lowest up, to a tree of files; data goes to a block writer. Source: OCI image-spec, layer.md.
///
/// Whiteouts and opaque directories hide what lower layers have, wherever in the layer they stand: they take effect at its end.
/// For the rest the order of the tar counts, and a later entry replaces an earlier one. Names are taken from the image's root
/// on: a `/` at the front means nothing, `..` is refused, and a symbolic link on the way is followed inside the image, as
/// Docker and containerd do, so that `lib/x` lands in `usr/lib` where a lower layer has made `lib` a link to that.
struct LayerApplier: ~Copyable {
    var tree: FileTree
    var blocks: BlockWriter
    private(set) var layer: UInt16 = 0
    /// How many of the freed extents the disk has back.
    private var punched = 0

    /// Of the current layer, for its end.
    private var whiteouts: [(parent: FileTree.NodeIndex, name: [UInt8])] = []
    private var opaque: [FileTree.NodeIndex] = []
    private var links: [(path: [UInt8], target: [UInt8])] = []

    /// Components of symbolic links that were followed, in all layers.
    var followed = 0

    /// The directory of the entry before, whose names mostly come in a row.
    var lastDirectory: (path: [UInt8], node: FileTree.NodeIndex)?

    init(tree: consuming FileTree, blocks: consuming BlockWriter) {
        self.tree = tree
        self.blocks = blocks
    }

    /// Applies the next layer. The reader is at its first entry.
    mutating func apply(_ reader: TarReader) throws(LayerFailure) {
        layer += 1
        lastDirectory = nil
        while let entry = try reader.nextEntry() {
            try apply(entry, reader)
        }
        for link in links {
            guard try addLink(link.path, link.target) else {
                throw .invalid("\(quoted(link.path)): hard link to \(quoted(link.target)), which is not in the image")
            }
        }
        let names = whiteouts.compactMap { whiteout in
            tree.isRemoved(whiteout.parent) ? nil : tree.child(of: whiteout.parent, whiteout.name[...])
        }
        tree.hide(names, opaque: opaque.filter { !tree.isRemoved($0) }, below: layer)
        links.removeAll()
        opaque.removeAll()
        whiteouts.removeAll()
    }

    /// Gives the disk back what files took that are replaced or hidden.
    mutating func releaseFreed(_ locked: LockedFile) throws(LayerFailure) {
        guard punched < tree.freed.count else { return }
        try blocks.flush()
        for extent in tree.freed[punched...] {
            // Where the file system below cannot, the blocks are merely wasted.
            try? locked.file.change(.punchHole, from: UInt64(extent.physical) << 12, count: UInt64(extent.count) << 12)
        }
        punched = tree.freed.count
    }

    private static let whiteoutPrefix = Array(".wh.".utf8)
    private static let reservedPrefix = Array(".wh..wh.".utf8)
    private static let opaqueName = Array(".wh..wh..opq".utf8)

    private mutating func apply(_ entry: TarEntry, _ reader: TarReader) throws(LayerFailure) {
        let path = EntryPath(entry.path)
        let components = try path.components()
        guard let name = components.last else {
            guard case .directory = entry.kind else {
                throw .invalid("\(quoted(entry.path)): the root is a directory, this entry is not one")
            }
            return try setAttributes(of: FileTree.root, entry)
        }
        let above = components.dropLast()
        if let reserved = components.first(where: { $0.starts(with: Self.reservedPrefix) }) {
            // Others than the mark of an opaque directory are notes of aufs to itself.
            guard name == Self.opaqueName[...], reserved == name, let parent = try find(above, creating: nil) else { return }
            return opaque.append(parent)
        }
        if name.starts(with: Self.whiteoutPrefix) {
            let hidden = name.dropFirst(Self.whiteoutPrefix.count)
            guard !hidden.isEmpty, !hidden.elementsEqual(".".utf8), !hidden.elementsEqual("..".utf8) else {
                throw .invalid("\(quoted(entry.path)): a whiteout of no name")
            }
            // Below what is no directory (any more) there is nothing to hide; some programs say so all the same.
            guard let parent = try find(above, creating: nil) else { return }
            return whiteouts.append((parent, Array(hidden)))
        }
        try add(name, to: try directory(above, for: entry), entry, reader)
    }

    private mutating func add(
        _ name: ArraySlice<UInt8>, to parent: FileTree.NodeIndex, _ entry: TarEntry, _ reader: TarReader
    ) throws(LayerFailure) {
        let existing = tree.child(of: parent, name)
        switch entry.kind {
        case .hardLink(let target):
            // The target may come later in the layer.
            if try !addLink(entry.path, target) { links.append((entry.path, target)) }
        case .directory:
            if let existing, tree.isDirectory(existing) {
                tree.touch(existing, layer: layer)
                return try setAttributes(of: existing, entry)
            }
            try replace(existing, name, in: parent, with: try inode(entry, type: 0o040000))
        case .regular:
            var inode = try inode(entry, type: 0o100000)
            blocks.beginFile()
            while let (offset, bytes) = try reader.nextData() {
                guard offset >= 0, bytes.count <= entry.size, offset <= entry.size - Int64(bytes.count) else {
                    throw .invalid("\(quoted(entry.path)): data behind the end of the file")
                }
                try blocks.append(bytes, at: UInt64(offset))
            }
            let extents = try blocks.endFile()
            guard let size = UInt64(exactly: entry.size), size >> 12 < UInt64(UInt32.max) else {
                throw .invalid("\(quoted(entry.path)): \(entry.size) bytes, a file may have up to 16 TiB")
            }
            inode.size = size
            inode.start = try tree.addExtents(extents)
            inode.extentCount = UInt32(extents.count)
            try replace(existing, name, in: parent, with: inode)
        case .symbolicLink(let target):
            guard (1...4095).contains(target.count) else {
                throw .invalid("\(quoted(entry.path)): a symbolic link to \(target.count) bytes, expected 1 to 4095")
            }
            var inode = try inode(entry, type: 0o120000)
            inode.mode = 0o120777
            inode.size = UInt64(target.count)
            inode.start = try tree.addText(target)
            try replace(existing, name, in: parent, with: inode)
        case .fifo:
            try replace(existing, name, in: parent, with: try inode(entry, type: 0o010000))
        case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
            var inode = try inode(entry, type: 0o020000)
            if case .blockDevice = entry.kind { inode.mode = inode.mode & 0o7777 | 0o060000 }
            // What the kernel's device numbers hold: 12 and 20 bits.
            guard major < 1 << 12, minor < 1 << 20 else {
                throw .invalid("\(quoted(entry.path)): device \(major):\(minor), expected up to 4095:1048575")
            }
            (inode.major, inode.minor) = (major, minor)
            try replace(existing, name, in: parent, with: inode)
        }
    }

    /// Gives the inode the name, in place of what has it.
    private mutating func replace(
        _ existing: FileTree.NodeIndex?, _ name: ArraySlice<UInt8>, in parent: FileTree.NodeIndex, with inode: FileTree.Inode
    ) throws(LayerFailure) {
        if let existing { remove(existing) }
        let index = try tree.addInode(inode)
        _ = try tree.add(name, to: parent, inode: index, layer: layer)
        tree.touch(parent, layer: layer)
    }

    mutating func remove(_ node: FileTree.NodeIndex) {
        tree.remove(node)
        lastDirectory = nil
    }

    /// Makes a hard link; false when its target is not there (yet).
    private mutating func addLink(_ path: [UInt8], _ targetPath: [UInt8]) throws(LayerFailure) -> Bool {
        let components = try EntryPath(path).components()
        let targetComponents = try EntryPath(targetPath).components()
        // The way to the new name first: making it may replace files of lower layers, the target too.
        guard let name = components.last, let targetName = targetComponents.last,
              let parent = try find(components.dropLast(), creating: Implied(modified: 0, nanoseconds: 0)),
              let targetParent = try find(targetComponents.dropLast(), creating: nil),
              let target = tree.child(of: targetParent, targetName)
        else { return false }
        guard !tree.isDirectory(target) else {
            throw .invalid("\(quoted(path)): hard link to \(quoted(targetPath)), which is a directory")
        }
        let existing = tree.child(of: parent, name)
        if existing == target { return true }
        let inode = tree.nodes[Int(target)].inode
        // The limit of ext4 (EXT4_LINK_MAX).
        guard tree.inodes[Int(inode)].links < 65000 else {
            throw .invalid("\(quoted(path)): the file has 65000 names already, and ext4 takes no more")
        }
        // First the new name: the file may have no other once what is replaced is gone.
        tree.inodes[Int(inode)].links += 1
        if let existing { remove(existing) }
        tree.inodes[Int(inode)].links -= 1
        _ = try tree.add(name, to: parent, inode: inode, layer: layer)
        tree.touch(parent, layer: layer)
        return true
    }

    // MARK: Attributes

    private mutating func inode(_ entry: TarEntry, type: UInt16) throws(LayerFailure) -> FileTree.Inode {
        var inode = FileTree.Inode(mode: type)
        try set(entry, on: &inode)
        return inode
    }

    private mutating func setAttributes(of node: FileTree.NodeIndex, _ entry: TarEntry) throws(LayerFailure) {
        let index = Int(tree.nodes[Int(node)].inode)
        var inode = tree.inodes[index]
        try set(entry, on: &inode)
        tree.inodes[index] = inode
    }

    private mutating func set(_ entry: TarEntry, on inode: inout FileTree.Inode) throws(LayerFailure) {
        // The last number means "no user" to the kernel.
        guard let user = UInt32(exactly: entry.user), let group = UInt32(exactly: entry.group), user < .max, group < .max else {
            throw .invalid("\(quoted(entry.path)): owner \(entry.user):\(entry.group), expected 0 to 4294967294")
        }
        inode.mode = inode.mode & 0o170000 | entry.permissions
        (inode.user, inode.group) = (user, group)
        (inode.modified, inode.modifiedNanoseconds) = (entry.modified, min(entry.modifiedNanoseconds, 999_999_999))
        inode.attributes = try tree.addAttributes(entry.attributes.filter { Self.isKept($0.name) })
    }

    /// ext4 keeps attributes of four namespaces; those of others, such as other systems' files have, mean nothing in a guest.
    /// Neither do the notes of the overlay file system on which the image was made, and they would mislead the guest's own.
    private static func isKept(_ name: [UInt8]) -> Bool {
        let kept = ["user.", "trusted.", "security.", "system.posix_acl_access", "system.posix_acl_default"]
        let dropped = ["trusted.overlay.", "user.overlay."]
        return name.count <= 255 && kept.contains { name.starts(with: $0.utf8) } && !dropped.contains { name.starts(with: $0.utf8) }
    }
}
