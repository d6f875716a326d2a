import Virtio

/// The header of a packet, in the layout of struct virtio_vsock_hdr (virtio 1.2, 5.10.6), little-endian as this machine is.
struct VsockPacket: BitwiseCopyable {
    var sourceCID: UInt64 = 0
    var destinationCID: UInt64 = 0
    var sourcePort: UInt32 = 0
    var destinationPort: UInt32 = 0
    /// Bytes of payload behind the header.
    var length: UInt32 = 0
    var type: UInt16 = VsockPacket.stream
    var operation: UInt16 = 0
    var flags: UInt32 = 0
    /// The sender's buffer for this stream, in bytes.
    var bufferAllocation: UInt32 = 0
    /// Bytes of this stream that have left the sender's buffer, modulo 2^32.
    var forwardedCount: UInt32 = 0

    static let headerSize = 44
    /// The host's context identifier (5.10.4).
    static let hostCID: UInt64 = 2
    /// VIRTIO_VSOCK_TYPE_STREAM
    static let stream: UInt16 = 1

    /// The header at a chain's start, each byte of which is read once; nil when the chain is too short, or has buffers to
    /// write.
    @inline(__always)
    init?(_ chain: DescriptorChain) {
        guard chain.readableCount >= Self.headerSize, chain.writableCount == 0 else { return nil }
        withUnsafeMutableBytes(of: &self) { _ = chain.read(at: 0, into: $0) }
    }

    init() {}

    @inline(__always)
    func write(to chain: DescriptorChain) {
        withUnsafeBytes(of: self) { _ = chain.write($0, at: 0) }
    }
}

/// VIRTIO_VSOCK_OP_* (5.10.6).
enum VsockOperation {
    static let request: UInt16 = 1
    static let response: UInt16 = 2
    static let reset: UInt16 = 3
    static let shutdown: UInt16 = 4
    static let data: UInt16 = 5
    static let creditUpdate: UInt16 = 6
    static let creditRequest: UInt16 = 7
}

/// What the sender of a SHUTDOWN will not do any more (5.10.6.5).
struct VsockShutdown: OptionSet {
    let rawValue: UInt32

    static let receiving = VsockShutdown(rawValue: 1)
    static let sending = VsockShutdown(rawValue: 2)
    static let both: VsockShutdown = [.receiving, .sending]
}
