import AgentProtocol

/// Cuts what comes on a connection into frames: a 32-bit length, little-endian, and as many bytes.
struct FrameQueue {
    enum Next {
        case frame([UInt8])
        /// More has to come first.
        case incomplete
        /// A length that no frame has.
        case invalid(UInt32)
    }

    private var bytes = ByteQueue()

    var count: Int { bytes.count }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        bytes.append(more)
    }

    /// Takes the next frame, without its length.
    mutating func next() -> Next {
        let headerSize = AgentChannel.headerSize
        guard bytes.count >= headerSize else { return .incomplete }
        let header = bytes.copy(0..<headerSize)
        guard let size = AgentChannel.size(header) else { return .invalid(header.reversed().reduce(0) { $0 << 8 | UInt32($1) }) }
        let end = headerSize + size
        guard bytes.count >= end else { return .incomplete }
        defer { bytes.removeFirst(end) }
        return .frame(bytes.copy(headerSize..<end))
    }
}
