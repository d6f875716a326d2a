/// A queue of connections linked through themselves: joining, leaving and taking the first cost the same however long it is,
/// and allocate nothing.
final class ConnectionList {
    // Sound: a node is a connection's, and a connection leaves its lists (`VsockEngine.close`) before it is let go.
    fileprivate unowned(unsafe) var head: Node?
    fileprivate unowned(unsafe) var tail: Node?
    private(set) var count = 0

    /// A connection's place in at most one list.
    final class Node {
        fileprivate(set) unowned(unsafe) var connection: VsockConnection
        fileprivate(set) unowned(unsafe) var list: ConnectionList?
        fileprivate unowned(unsafe) var next: Node?
        fileprivate unowned(unsafe) var previous: Node?

        init(_ connection: VsockConnection) {
            self.connection = connection
        }

        func leave() {
            list?.remove(self)
        }
    }

    var first: VsockConnection? { head?.connection }
    var isEmpty: Bool { head == nil }

    /// Puts a node at the end, when it is in no list.
    func append(_ node: Node) {
        guard node.list == nil else { return }
        node.list = self
        node.previous = tail
        if let tail { tail.next = node } else { head = node }
        tail = node
        count += 1
    }

    private func remove(_ node: Node) {
        if let previous = node.previous { previous.next = node.next } else { head = node.next }
        if let next = node.next { next.previous = node.previous } else { tail = node.previous }
        node.next = nil
        node.previous = nil
        node.list = nil
        count -= 1
    }
}
