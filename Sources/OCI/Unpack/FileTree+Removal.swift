// Removing.
extension FileTree {
    /// Removes a name and everything below it.
    mutating func remove(_ node: NodeIndex) {
        removeSubtree(node) { _ in true }
    }

    /// Removes what lower layers have made of these names and all below them, and of what is below the opaque ones. What the layer
    /// itself has put there stays, and so do the directories that lead to it.
    mutating func hide(_ names: [NodeIndex], opaque: [NodeIndex], below layer: UInt16) {
        for node in names + opaque { nodes[Int(node)].isMarked = true }
        // From the root down: what lies below one that is done is done with it. So every node is visited once at the most, however
        // the layer nests and repeats its marks.
        let order = (names.map { ($0, false) } + opaque.map { ($0, true) }).sorted { left, right in
            nodes[Int(left.0)].depth < nodes[Int(right.0)].depth
        }
        for (node, isOpaque) in order where nodes[Int(node)].isMarked && !isRemoved(node) {
            nodes[Int(node)].isMarked = false
            guard isOpaque else {
                removeSubtree(node) { $0.layer < layer }
                continue
            }
            var child = nodes[Int(node)].firstChild
            while child != Self.none {
                let next = nodes[Int(child)].next
                removeSubtree(child) { $0.layer < layer }
                child = next
            }
        }
    }

    /// Removes every node of a subtree for which `condition` holds and that has no child left; without recursion, as an image
    /// chooses the depth.
    private mutating func removeSubtree(_ top: NodeIndex, where condition: (Node) -> Bool) {
        var node = top
        var isEntering = true
        while true {
            if isEntering, nodes[Int(node)].firstChild != Self.none {
                node = nodes[Int(node)].firstChild
                continue
            }
            // Everything below is done.
            nodes[Int(node)].isMarked = false
            let (next, parent) = (nodes[Int(node)].next, nodes[Int(node)].parent)
            let isTop = node == top
            if nodes[Int(node)].firstChild == Self.none, condition(nodes[Int(node)]) { unlink(node) }
            if isTop { return }
            isEntering = next != Self.none
            node = isEntering ? next : parent
        }
    }

    private mutating func unlink(_ index: NodeIndex) {
        let node = nodes[Int(index)]
        if node.previous == Self.none {
            nodes[Int(node.parent)].firstChild = node.next
        } else {
            nodes[Int(node.previous)].next = node.next
        }
        if node.next == Self.none {
            nodes[Int(node.parent)].lastChild = node.previous
        } else {
            nodes[Int(node.next)].previous = node.previous
        }
        let mask = table.count - 1
        var slot = Int(node.hash) & mask
        while table[slot] != index { slot = (slot + 1) & mask }
        table[slot] = Self.removed
        nodes[Int(index)].inode = Self.none
        nameCount -= 1
        inodes[Int(node.inode)].links -= 1
        if inodes[Int(node.inode)].links == 0 { free(node.inode) }
    }

    /// Gives up the blocks of a file whose last name is gone.
    private mutating func free(_ index: InodeIndex) {
        let inode = inodes[Int(index)]
        guard inode.mode & 0o170000 == 0o100000, inode.extentCount > 0 else { return }
        freed.append(contentsOf: extents[Int(inode.start)..<(Int(inode.start) + Int(inode.extentCount))])
        inodes[Int(index)].extentCount = 0
    }
}
