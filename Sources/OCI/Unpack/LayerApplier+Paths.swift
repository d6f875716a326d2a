// Finding directories. Nothing here touches the host's file system: paths are walked in the tree of the image.
extension LayerApplier {
    /// What a directory gets that no entry describes.
    struct Implied {
        var modified: Int64
        var nanoseconds: UInt32
    }

    /// The directory that an entry lies in, made where it is missing.
    mutating func directory(
        _ components: ArraySlice<ArraySlice<UInt8>>, for entry: TarEntry
    ) throws(LayerFailure) -> FileTree.NodeIndex {
        guard let last = components.last else { return FileTree.root }
        let path = entry.path[..<last.endIndex]
        if let lastDirectory, lastDirectory.path[...] == path { return lastDirectory.node }
        let implied = Implied(modified: entry.modified, nanoseconds: min(entry.modifiedNanoseconds, 999_999_999))
        guard let found = try find(components, creating: implied) else { return FileTree.root }
        lastDirectory = (Array(path), found)
        return found
    }

    /// Walks from the root. Missing directories are made when `creating` says how, and files of lower layers in the way
    /// replaced; without it the result is nil then.
    mutating func find(
        _ components: ArraySlice<ArraySlice<UInt8>>, creating implied: Implied?
    ) throws(LayerFailure) -> FileTree.NodeIndex? {
        var current = FileTree.root
        var rest = components
        // What a symbolic link says comes before the rest.
        var pending: [ArraySlice<UInt8>] = []
        var hops = 0
        while true {
            let name: ArraySlice<UInt8>
            if let next = pending.popLast() {
                name = next
            } else if let next = rest.popFirst() {
                name = next
            } else {
                return current
            }
            if name.elementsEqual("..".utf8) {
                current = tree.nodes[Int(current)].parent
                continue
            }
            if let child = tree.child(of: current, name) {
                let inode = tree.inode(of: child)
                switch inode.mode & 0o170000 {
                case 0o040000:
                    current = child
                    continue
                case 0o120000:
                    hops += 1
                    guard hops <= 40 else {
                        throw .invalid("\(quoted(tree.path(of: child))): too many symbolic links on the way")
                    }
                    let target = Array(tree.target(of: inode))
                    if target.first == UInt8(ascii: "/") { current = FileTree.root }
                    let parts = target.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
                    followed += parts.count
                    guard followed <= tree.limits.followed else {
                        throw .invalid("\(quoted(tree.path(of: child))): too many symbolic links on the way")
                    }
                    guard parts.allSatisfy({ $0.count <= 255 }), pending.count + parts.count <= 4096 else {
                        throw .invalid("\(quoted(tree.path(of: child))): the symbolic link's target is too long")
                    }
                    pending.append(contentsOf: parts.reversed())
                    continue
                default:
                    guard implied != nil else { return nil }
                    guard tree.nodes[Int(child)].layer < layer else {
                        throw .invalid("\(quoted(tree.path(of: child))) is not a directory, but the layer has files below it")
                    }
                    remove(child)
                }
            }
            guard let implied else { return nil }
            var inode = FileTree.Inode(mode: 0o040755)
            (inode.modified, inode.modifiedNanoseconds) = (implied.modified, implied.nanoseconds)
            let index = try tree.addInode(inode)
            let parent = current
            current = try tree.add(name, to: parent, inode: index, layer: layer)
            tree.touch(parent, layer: layer)
        }
    }
}

/// The name of a tar's entry, split.
struct EntryPath {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The components without empty ones and `.`; none for the root. Slices of `bytes`.
    func components() throws(LayerFailure) -> [ArraySlice<UInt8>] {
        guard bytes.count < 4096 else { throw .invalid("\(quoted(bytes)): a name of \(bytes.count) bytes, the longest is 4095") }
        var components: [ArraySlice<UInt8>] = []
        for part in bytes.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(CollectionOfOne(UInt8(ascii: "."))) {
            guard !part.elementsEqual("..".utf8) else { throw .invalid("\(quoted(bytes)): \"..\" leads out of the image") }
            guard part.count <= 255 else {
                throw .invalid("\(quoted(bytes)): a file name of \(part.count) bytes, the longest is 255")
            }
            components.append(part)
        }
        return components
    }
}
