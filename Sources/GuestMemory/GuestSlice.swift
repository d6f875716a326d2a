import CLinux

/// A checked range of guest RAM, as this process sees it.
///
/// Offsets are the caller's to keep inside: they are checked in debug builds and clamped by construction where slices are
/// made (`GuestMemory.slice`, `subslice`). It does not keep the memory mapped: it lives no longer than its `GuestMemory`.
public struct GuestSlice: @unchecked Sendable {
    // Sound: a pointer into memory that never moves, shared with the guest in any case.
    let base: UnsafeMutableRawPointer
    public let count: Int

    @inline(__always)
    init(base: UnsafeMutableRawPointer, count: Int) {
        self.base = base
        self.count = count
    }

    /// For vectored I/O.
    public var buffer: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base, count: count) }

    /// The part from `offset` of at most `limit` bytes; empty past the end.
    public func subslice(from offset: Int, limit: Int) -> GuestSlice {
        let start = min(max(offset, 0), count)
        return GuestSlice(base: base + start, count: min(max(limit, 0), count - start))
    }

    @inline(__always)
    public func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        precondition(offset >= 0 && offset <= count - MemoryLayout<Value>.size)
        return base.loadUnaligned(fromByteOffset: offset, as: type)
    }

    @inline(__always)
    public func store<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        precondition(offset >= 0 && offset <= count - MemoryLayout<Value>.size)
        base.storeBytes(of: value, toByteOffset: offset, as: Value.self)
    }

    /// Copies as much of `bytes` as fits; returns the count.
    @discardableResult
    public func copy(from bytes: UnsafeRawBufferPointer) -> Int {
        let length = min(bytes.count, count)
        if length > 0 { base.copyMemory(from: bytes.baseAddress!, byteCount: length) }
        return length
    }

    /// Copies out as much as `bytes` holds; returns the count.
    @discardableResult
    public func copy(to bytes: UnsafeMutableRawBufferPointer) -> Int {
        let length = min(bytes.count, count)
        if length > 0 { bytes.baseAddress!.copyMemory(from: base, byteCount: length) }
        return length
    }

    public func zero() {
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
    }

    // Ring indices and flags: single 16-bit accesses, never byte by byte. The offset must be even in an aligned slice.

    @inline(__always)
    public func loadAcquire(at offset: Int) -> UInt16 {
        precondition(offset >= 0 && offset <= count - 2)
        return svmm_load_acquire_u16(base + offset)
    }

    @inline(__always)
    public func storeRelease(_ value: UInt16, at offset: Int) {
        precondition(offset >= 0 && offset <= count - 2)
        svmm_store_release_u16(base + offset, value)
    }
}

/// Orders every access before it against every access after it, towards the guest too. The C builtin is
/// `__atomic_thread_fence` (sequentially consistent).
@inline(__always)
public func fullMemoryBarrier() {
    svmm_full_barrier()
}
