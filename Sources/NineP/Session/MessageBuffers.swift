import LinuxSystem

/// The two buffers of one request, as the transport has them: the request's bytes, and room for the reply. A virtio
/// descriptor chain is one of these.
///
/// The client may write to both while they are used: each byte of a request is read once.
public protocol MessageBuffers: AnyObject {
    /// Bytes of the request.
    var requestCount: Int { get }
    /// Bytes that a reply may have.
    var replyCapacity: Int { get }

    /// Copies the request from `offset` on; returns the bytes copied, fewer where the request ends.
    func copyRequest(at offset: Int, into bytes: UnsafeMutableRawBufferPointer) -> Int

    /// Copies bytes into the reply at `offset`; returns the bytes copied, fewer where the room ends.
    func copyReply(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int

    /// Lists the areas of the request's `count` bytes from `offset` on; false when the list is full or the request ends
    /// before.
    func gatherRequest(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool

    /// As `gatherRequest`, of the room for the reply.
    func gatherReply(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool
}

/// A request that a session has taken from its transport. Answer it, then tell the session that it is finished.
public struct NinePTicket: Sendable {
    let sequence: UInt64
    let size: UInt32
    let type: UInt8
    public let tag: UInt16
}
