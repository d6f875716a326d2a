import LinuxSystem
import Synchronization

/// The value of an extended attribute, or the list of their names, that a fid of Txattrwalk reads.
final class AttributeValue: Sendable {
    let bytes: [UInt8]
    private let reservation: Reservation

    init(_ bytes: [UInt8], reservation: consuming Reservation) {
        self.bytes = bytes
        self.reservation = reservation
    }
}

/// The value that a fid of Txattrcreate is being given; the attribute is set when the fid is clunked.
final class AttributeDraft: Sendable {
    let node: Node
    let name: AttributeName
    let size: Int
    let condition: AttributeCondition
    private let received = Mutex<[UInt8]>([])
    private let reservation: Reservation

    init(
        node: Node, name: AttributeName, size: Int, condition: AttributeCondition, reservation: consuming Reservation
    ) {
        self.node = node
        self.name = name
        self.size = size
        self.condition = condition
        self.reservation = reservation
    }

    /// Adds bytes, which are written in order.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
        try received.withLock { received throws(Errno) in
            guard offset == UInt64(received.count), bytes.count <= size - received.count else { throw .invalidArgument }
            received += bytes
        }
    }

    /// Sets the attribute. Throws `.invalidArgument` when bytes are missing.
    func commit() throws(Errno) {
        let value = received.withLock { $0 }
        guard value.count == size else { throw .invalidArgument }
        try node.export.checkPresent()
        let file = try node.reopenForAttributes()
        // Linux sends removexattr(2) this way. A value of no bytes that must replace another looks the same.
        if size == 0, condition == .present {
            try file.removeAttribute(name)
        } else {
            try file.setAttribute(name, value, condition)
        }
    }
}
