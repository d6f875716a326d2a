import AgentProtocol

/// Cuts a byte stream into the frames of `AgentChannel`.
public struct FrameReader: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0

    public init() {}

    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole frame without its length; nil: more bytes have to come first.
    ///
    /// - Throws: `BadLength` for what no frame may have; there is no way on from there.
    public mutating func next() throws(BadLength) -> [UInt8]? {
        guard buffer.count - start >= AgentChannel.headerSize else { return nil }
        let body = start + AgentChannel.headerSize
        guard let size = AgentChannel.size(buffer[start..<body]) else { throw BadLength() }
        guard buffer.count - body >= size else { return nil }
        start = body + size
        return Array(buffer[body..<start])
    }

    public struct BadLength: Error {}
}
