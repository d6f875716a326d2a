/// The files of an image while its layers are applied: names and attributes, no data. One thread.
///
/// Names are nodes, files are inodes; a file with several names is one inode. Both are numbers into arrays, and names lie in
/// one array of bytes, so that a million files cost about a hundred megabytes. Numbers are not used again.
struct FileTree: ~Copyable {
    typealias NodeIndex = UInt32
    typealias InodeIndex = UInt32

    struct Node {
        var parent: NodeIndex
        /// Where in `text` the name is.
        var nameOffset: UInt32
        var nameLength: UInt16
        /// The layer that made the name, or made it anew, or put something below it; counted from 1.
        var layer: UInt16
        /// `FileTree.none` once the name is removed.
        var inode: InodeIndex
        var hash: UInt32
        /// Directories above it.
        var depth: UInt32
        /// Is to be hidden, or what is below it, when the layer is done.
        var isMarked = false
        var firstChild = FileTree.none
        var lastChild = FileTree.none
        var previous = FileTree.none
        var next = FileTree.none
    }

    struct Inode {
        /// Type and permissions.
        var mode: UInt16
        var user: UInt32 = 0
        var group: UInt32 = 0
        var modified: Int64 = 0
        var modifiedNanoseconds: UInt32 = 0
        /// Bytes: of a regular file, or of a symbolic link's target, which lies in `text` from `start` on.
        var size: UInt64 = 0
        /// Names; directories have one.
        var links: UInt32 = 0
        /// Device numbers.
        var major: UInt32 = 0
        var minor: UInt32 = 0
        /// Of a regular file: the first of `extentCount` elements of `extents`.
        var start: UInt32 = 0
        var extentCount: UInt32 = 0
        /// Index into `attributes` and one more; 0 for none.
        var attributes: UInt32 = 0
        /// In the file system that is written; 0 before that.
        var number: UInt32 = 0
    }

    /// A range of blocks of a file.
    struct Extent {
        var logical: UInt32
        var physical: UInt32
        var count: UInt32
    }

    typealias Attributes = [(name: [UInt8], value: [UInt8])]

    static let none = UInt32.max
    static let root: NodeIndex = 0

    // Written by the parts of this type only.
    var nodes: [Node] = []
    var inodes: [Inode] = []
    private(set) var text: [UInt8] = []
    private(set) var extents: [Extent] = []
    private(set) var attributes: [Attributes] = []
    private var attributeBytes = 0
    /// Blocks of files that have no name any more.
    var freed: [Extent] = []
    /// Names that are not removed.
    var nameCount = 0
    let limits: Limits

    /// An open-addressing table of nodes by parent and name: index, `none` where free, `removed` where something was.
    var table = [NodeIndex](repeating: FileTree.none, count: 1 << 10)
    private var usedSlots = 0
    static let removed = UInt32.max - 1

    /// What an image may cost in memory: whoever makes more of it means harm.
    struct Limits {
        /// Names that layers make, directories that only follow from other names too, and removed ones.
        var entries = 4 << 20
        /// Bytes of names and link targets.
        var text = 512 << 20
        var extents = 8 << 20
        /// Bytes of extended attributes.
        var attributes = 256 << 20
        /// Components of symbolic links that are followed on the way to files. Few images have any; one that makes every name lead
        /// through long chains of links would keep the processor busy for hours.
        var followed = 1 << 20
    }

    init(limits: Limits) {
        self.limits = limits
        inodes.append(Inode(mode: 0o040755, links: 1))
        nodes.append(Node(parent: 0, nameOffset: 0, nameLength: 0, layer: 0, inode: 0, hash: 0, depth: 0))
        nameCount = 1
    }

    func inode(of node: NodeIndex) -> Inode { inodes[Int(nodes[Int(node)].inode)] }

    func isDirectory(_ node: NodeIndex) -> Bool { inode(of: node).mode & 0o170000 == 0o040000 }

    func isRemoved(_ node: NodeIndex) -> Bool { nodes[Int(node)].inode == Self.none }

    func name(of node: NodeIndex) -> ArraySlice<UInt8> {
        let node = nodes[Int(node)]
        return text[Int(node.nameOffset)..<(Int(node.nameOffset) + Int(node.nameLength))]
    }

    /// The text of a symbolic link.
    func target(of inode: Inode) -> ArraySlice<UInt8> {
        text[Int(inode.start)..<(Int(inode.start) + Int(inode.size))]
    }

    /// The file's path, for messages.
    func path(of node: NodeIndex) -> [UInt8] {
        var (node, parts) = (node, [ArraySlice<UInt8>]())
        while node != Self.root {
            parts.append(name(of: node))
            node = nodes[Int(node)].parent
        }
        return parts.isEmpty ? [UInt8(ascii: "/")] : parts.reversed().flatMap { [UInt8(ascii: "/")] + $0 }
    }
}

// Finding and adding.
extension FileTree {
    private func hash(_ parent: NodeIndex, _ name: ArraySlice<UInt8>) -> UInt32 {
        // Seeded anew in every process: whoever makes an image cannot aim at collisions.
        var hasher = Hasher()
        hasher.combine(parent)
        name.withUnsafeBytes { hasher.combine(bytes: $0) }
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }

    /// The node with this name in a directory; nil when there is none.
    func child(of parent: NodeIndex, _ name: ArraySlice<UInt8>) -> NodeIndex? {
        let hash = hash(parent, name)
        let mask = table.count - 1
        var slot = Int(hash) & mask
        while true {
            let found = table[slot]
            if found == Self.none { return nil }
            if found != Self.removed {
                let node = nodes[Int(found)]
                if node.hash == hash, node.parent == parent, self.name(of: found) == name { return found }
            }
            slot = (slot + 1) & mask
        }
    }

    /// Adds a name for an inode to a directory that does not have it.
    mutating func add(
        _ name: ArraySlice<UInt8>, to parent: NodeIndex, inode: InodeIndex, layer: UInt16
    ) throws(LayerFailure) -> NodeIndex {
        guard nodes.count <= limits.entries else { throw tooMany("files", limits.entries) }
        let offset = try addText(name)
        if 10 * (usedSlots + 1) > 7 * table.count { rehash() }
        let hash = hash(parent, name)
        let index = NodeIndex(nodes.count)
        let last = nodes[Int(parent)].lastChild
        nodes.append(Node(parent: parent, nameOffset: offset, nameLength: UInt16(name.count), layer: layer, inode: inode,
                          hash: hash, depth: nodes[Int(parent)].depth + 1, previous: last))
        if last == Self.none { nodes[Int(parent)].firstChild = index } else { nodes[Int(last)].next = index }
        nodes[Int(parent)].lastChild = index
        inodes[Int(inode)].links += 1
        nameCount += 1
        insert(index)
        return index
    }

    private mutating func insert(_ index: NodeIndex) {
        let mask = table.count - 1
        var slot = Int(nodes[Int(index)].hash) & mask
        while table[slot] < Self.removed { slot = (slot + 1) & mask }
        if table[slot] == Self.none { usedSlots += 1 }
        table[slot] = index
    }

    private mutating func rehash() {
        let old = table
        table = [NodeIndex](repeating: Self.none, count: max(1 << 10, nameCount * 4).nextPowerOfTwo)
        usedSlots = 0
        for index in old where index < Self.removed { insert(index) }
    }

    mutating func addInode(_ inode: Inode) throws(LayerFailure) -> InodeIndex {
        guard inodes.count <= limits.entries else { throw tooMany("files", limits.entries) }
        inodes.append(inode)
        return InodeIndex(inodes.count - 1)
    }

    mutating func addText(_ bytes: some Collection<UInt8>) throws(LayerFailure) -> UInt32 {
        guard bytes.count <= limits.text - text.count else { throw tooMany("bytes of names", limits.text) }
        let offset = UInt32(text.count)
        text.append(contentsOf: bytes)
        return offset
    }

    mutating func addExtents(_ added: [Extent]) throws(LayerFailure) -> UInt32 {
        guard added.count <= limits.extents - extents.count else { throw tooMany("ranges of data", limits.extents) }
        let start = UInt32(extents.count)
        extents.append(contentsOf: added)
        return start
    }

    /// Returns what `Inode.attributes` is set to.
    mutating func addAttributes(_ added: Attributes) throws(LayerFailure) -> UInt32 {
        guard !added.isEmpty else { return 0 }
        attributeBytes += added.reduce(0) { $0 + $1.name.count + $1.value.count + 64 }
        guard attributeBytes <= limits.attributes else { throw tooMany("bytes of extended attributes", limits.attributes) }
        attributes.append(added)
        return UInt32(attributes.count)
    }

    func tooMany(_ what: String, _ limit: Int) -> LayerFailure { .invalid("the image has more than \(limit) \(what)") }

    /// Says that a layer put something into a directory, or made it: it, and those above it, are then of that layer.
    mutating func touch(_ node: NodeIndex, layer: UInt16) {
        var node = node
        while nodes[Int(node)].layer < layer {
            nodes[Int(node)].layer = layer
            node = nodes[Int(node)].parent
        }
    }
}

extension Int {
    /// The smallest power of two that is not smaller; of at least 1.
    var nextPowerOfTwo: Int { self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
