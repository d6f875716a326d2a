import GuestMemory
import LinuxSystem

/// The buffers of one request, checked: first those that the device reads, then those that it writes.
///
/// Made once per queue and filled again for each request, so that the hot path allocates nothing. For the thread that
/// serves the queue.
public final class DescriptorChain {
    /// Index of the first descriptor: what the used ring reports.
    public var head: UInt16 { state.pointee.head }
    /// Bytes that the device may read.
    public var readableCount: Int { state.pointee.readableCount }
    /// Bytes that the device may write.
    public var writableCount: Int { state.pointee.writableCount }

    private let segments: UnsafeMutableBufferPointer<GuestSlice>
    /// Behind a pointer: see `Virtqueue`.
    private let state: UnsafeMutablePointer<State>

    private struct State: BitwiseCopyable {
        var head: UInt16 = 0
        var readableCount = 0
        var writableCount = 0
        var readableSegments = 0
        var segmentCount = 0
    }

    /// - Parameter capacity: the queue's size: no valid chain is longer.
    public init(capacity: Int) {
        segments = .allocate(capacity: capacity)
        state = .allocate(capacity: 1)
        state.initialize(to: State())
    }

    deinit {
        state.deallocate()
        segments.deallocate()
    }

    func begin(head: UInt16) {
        state.pointee = State(head: head)
    }

    func append(_ slice: GuestSlice, writable: Bool) throws(QueueError) {
        guard state.pointee.segmentCount < segments.count else { throw .chainTooLong }
        if writable {
            state.pointee.writableCount += slice.count
        } else {
            guard state.pointee.readableSegments == state.pointee.segmentCount else { throw .readableAfterWritable }
            state.pointee.readableCount += slice.count
            state.pointee.readableSegments += 1
        }
        segments[state.pointee.segmentCount] = slice
        state.pointee.segmentCount += 1
    }

    /// The readable bytes from `offset` on, copied; returns the count, less than asked for at the end.
    @discardableResult
    public func read(at offset: Int, into bytes: UnsafeMutableRawBufferPointer) -> Int {
        var done = 0
        forEachSlice(writable: false, from: offset, count: bytes.count) { slice in
            done += slice.copy(to: UnsafeMutableRawBufferPointer(rebasing: bytes[done...]))
            return true
        }
        return done
    }

    /// A value in the readable bytes; nil when they end before it does.
    public func read<Value: BitwiseCopyable & FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value? {
        var value: Value = 0
        let size = MemoryLayout<Value>.size
        let count = withUnsafeMutableBytes(of: &value) { read(at: offset, into: $0) }
        return count == size ? Value(littleEndian: value) : nil
    }

    /// Copies bytes to `offset` in the writable buffers; returns the count, less than given at the end.
    @discardableResult
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        var done = 0
        forEachSlice(writable: true, from: offset, count: bytes.count) { slice in
            done += slice.copy(from: UnsafeRawBufferPointer(rebasing: bytes[done...]))
            return true
        }
        return done
    }

    /// Lists the areas of `count` bytes from `offset` on; false when the list is full or the buffers end before.
    public func gather(writable: Bool, from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool {
        let before = vectors.byteCount
        forEachSlice(writable: writable, from: offset, count: count) { slice in
            vectors.append(slice.buffer.baseAddress!, count: slice.count)
        }
        return vectors.byteCount - before == count
    }

    /// The writable byte at `offset`, as guest memory: for an answer that comes when this chain is used for another request.
    /// nil past the end.
    public func writableByte(at offset: Int) -> GuestSlice? {
        var byte: GuestSlice?
        forEachSlice(writable: true, from: offset, count: 1) { slice in
            byte = slice
            return false
        }
        return byte
    }

    /// Calls `body` with the parts of the readable or writable buffers that hold `count` bytes from `offset` on, until it
    /// returns false.
    @inline(__always)
    public func forEachSlice(writable: Bool, from offset: Int, count: Int, _ body: (GuestSlice) -> Bool) {
        var skip = offset
        var left = count
        let state = state.pointee
        let range = writable ? state.readableSegments..<state.segmentCount : 0..<state.readableSegments
        for index in range where left > 0 {
            let segment = segments[index]
            if skip >= segment.count {
                skip -= segment.count
                continue
            }
            let slice = segment.subslice(from: skip, limit: left)
            skip = 0
            left -= slice.count
            if !body(slice) { return }
        }
    }
}
