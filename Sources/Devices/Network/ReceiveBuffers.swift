import GuestMemory
import LinuxSystem
import Virtio

/// Chains that the driver has made available for frames and that no frame has used yet, in order. For the thread that serves the
/// queue.
struct ReceiveBuffers: ~Copyable {
    private struct Head: BitwiseCopyable {
        var index: UInt16 = 0
        var segments: UInt16 = 0
        var bytes = 0
    }

    private let queue: Virtqueue
    private let chain: DescriptorChain
    /// Whether a frame may use several chains.
    private let isMergeable: Bool
    private let heads: UnsafeMutableBufferPointer<Head>
    private var first = 0
    private var count = 0
    /// Of all chains.
    private(set) var bytes = 0
    var vectors = FrameVectors()

    init(_ queue: Virtqueue, isMergeable: Bool) {
        self.queue = queue
        self.isMergeable = isMergeable
        chain = DescriptorChain(capacity: Int(queue.size))
        heads = .allocate(capacity: Int(queue.size))
        heads.initialize(repeating: Head())
    }

    deinit {
        heads.deallocate()
    }

    var isEmpty: Bool { count == 0 }

    /// Whether more room for one frame could come. Not when the driver has given everything that a queue can hold, or in pieces so
    /// small that one call cannot take more of them.
    var canGrow: Bool {
        guard isMergeable else { return count == 0 }
        // One area is left for what is too long for all others.
        return count < heads.count && vectors.count + heads.count < vectors.capacity
    }

    /// Takes chains until there is room for so many bytes; false when there is not.
    mutating func gather(_ wanted: Int) throws(QueueError) -> Bool {
        while bytes < wanted, canGrow {
            guard try queue.next(chain) else { return false }
            guard chain.readableCount == 0, chain.writableCount >= FrameHeader.size else { throw .request }
            var segments: UInt16 = 0
            chain.forEachSlice(writable: true, from: 0, count: chain.writableCount) { slice in
                segments += 1
                return vectors.append(slice.buffer)
            }
            heads[(first + count) % heads.count] = Head(index: chain.head, segments: segments, bytes: chain.writableCount)
            count += 1
            bytes += chain.writableCount
        }
        return bytes >= wanted
    }

    /// Leaves all chains in the ring. For a queue that is not served any more.
    mutating func putBack() {
        queue.putBack(UInt16(count))
        vectors.removeAll()
        (first, count, bytes) = (0, 0, 0)
    }

    /// Reads once into the buffers, and what is too much for them into another area. nil when there is nothing to read now.
    mutating func read(from raw: Int32, overflow: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        guard vectors.append(overflow) else { throw .invalidArgument }
        defer { vectors.removeLast() }
        return try vectors.read(from: raw)
    }

    /// Gives the driver the first chains with a frame of so many bytes in them, header counted, which fits.
    mutating func publish(_ size: Int) {
        var bufferCount: UInt16 = 0
        var left = size
        while left > 0, Int(bufferCount) < count {
            left -= heads[(first + Int(bufferCount)) % heads.count].bytes
            bufferCount += 1
        }
        withUnsafeBytes(of: bufferCount.littleEndian) { _ = vectors.copy(from: $0, at: FrameHeader.bufferCountOffset) }
        left = size
        var segments = 0
        var index = 0
        while index < Int(bufferCount) {
            index += 1
            let head = heads[first]
            first = (first + 1) % heads.count
            let part = min(left, head.bytes)
            queue.stage(head: head.index, written: part)
            left -= part
            bytes -= head.bytes
            segments += Int(head.segments)
        }
        count -= Int(bufferCount)
        vectors.removeFirst(segments)
        // All at once: a driver that finds the first looks for the others.
        queue.publish()
    }
}
