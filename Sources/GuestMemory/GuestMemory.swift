import CLinux
import LinuxSystem

/// An address in the guest's physical address space.
public typealias GuestAddress = UInt64

/// Access to guest memory that was refused.
public enum GuestMemoryError: Error, Equatable, CustomStringConvertible {
    /// The range does not lie within one region of RAM.
    case outOfRange(address: GuestAddress, count: UInt64)
    /// A ring or table is not aligned as the specification demands.
    case misaligned(address: GuestAddress, alignment: UInt64)
    /// A file ended, or failed, while it was read into guest memory.
    case fileRead(offset: UInt64, Errno?)

    public var description: String {
        switch self {
        case .outOfRange(let address, let count):
            "\(count) bytes at \(hexadecimal(address)) are not guest RAM"
        case .misaligned(let address, let alignment):
            "\(hexadecimal(address)) is not a multiple of \(alignment)"
        case .fileRead(let offset, let error):
            "read failed at offset \(offset): \(error?.description ?? "the file is shorter than expected")"
        }
    }
}

/// For messages: 0x-prefixed lower case.
public func hexadecimal(_ value: UInt64) -> String {
    "0x" + String(value, radix: 16)
}

/// The only door to guest RAM.
///
/// Every access is checked against the regions, without overflow, and copies: what the monitor has checked cannot change
/// under it. Device rings and data buffers, which are shared by nature, are resolved once into a `GuestSlice`.
///
/// Any thread may use it. The guest may write the same bytes at any time: readers get some mixture of old and new bytes,
/// as a real device would, and nothing worse.
public final class GuestMemory: @unchecked Sendable {
    // Sound: the mapping and the layout never change; the bytes are the guest's and carry no Swift value.
    public let layout: RAMLayout
    private let mapping: MemoryMapping
    /// What stands behind pages that nobody has written to: a file with the layout's regions one after the other. nil: zeros.
    public let source: FileDescriptor?

    /// Reserves address space for the layout's RAM. No page is touched: they come from the host when first used.
    public init(layout: RAMLayout) throws(Errno) {
        self.layout = layout
        mapping = try MemoryMapping(anonymousBytes: Int(layout.size), alignment: 2 << 20)
        source = nil
        mapping.excludeFromCoreDumps()
    }

    /// Memory that holds what a file does, which has the layout's regions one after the other and does not change from now on. Pages
    /// are read when they are first touched, and are this machine's own once they are written to.
    public init(layout: RAMLayout, contents file: consuming FileDescriptor) throws(Errno) {
        self.layout = layout
        guard try file.status().size == layout.size else { throw .invalidArgument }
        mapping = try MemoryMapping(privateCopyOf: file.raw, count: Int(layout.size))
        source = .some(file)
        mapping.excludeFromCoreDumps()
    }

    /// Has all of the source read before it is needed, as fast as it comes. For any thread; it takes as long as reading takes.
    public func readSource() {
        let step = 4 << 20
        for offset in stride(from: 0, to: mapping.count, by: step) {
            mapping.willNeed(offset: offset, count: min(step, mapping.count - offset))
        }
    }

    /// Where each region lies in this process, for KVM's memory slots.
    public func forEachRegion<Failure: Error>(
        _ body: (_ region: MemoryRegion, _ host: UnsafeMutableRawPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var offset = 0
        for region in layout.regions {
            try body(region, mapping.base + offset)
            offset += Int(region.count)
        }
    }

    /// The range as memory of this process, when it lies within one region of RAM.
    ///
    /// The slice borrows this object's mapping: keep the object alive for as long as the slice is used.
    @inline(__always)
    public func slice(at address: GuestAddress, count: UInt64) throws(GuestMemoryError) -> GuestSlice {
        let low = layout.low
        if address < low.count, count <= low.count - address {
            return GuestSlice(base: mapping.base + Int(address), count: Int(count))
        }
        if let high = layout.high, address >= high.start {
            let offset = address - high.start
            if offset < high.count, count <= high.count - offset {
                return GuestSlice(base: mapping.base + Int(low.count + offset), count: Int(count))
            }
        }
        throw .outOfRange(address: address, count: count)
    }

    /// Whether discarded pages read as zeros: so for memory that no file stands behind.
    public var discardedPagesAreZero: Bool { source == nil }

    /// Gives the host back what it keeps of the whole pages in the slice, which is of this memory. Their contents are then
    /// whatever the mapping has below (see `discardedPagesAreZero`), until somebody writes to them; addresses and KVM's memory
    /// slots stay as they are. The C function is `madvise` (MADV_DONTNEED).
    public func discard(_ slice: GuestSlice) {
        let page = Int(RAMLayout.pageSize)
        let offset = slice.base - mapping.base
        precondition(offset >= 0 && offset <= mapping.count - slice.count)
        // Never a page of which only a part was named.
        let start = (offset + page - 1) / page * page
        let end = (offset + slice.count) / page * page
        if start < end { mapping.discard(offset: start, count: end - start) }
    }

    /// As `discard`, for whatever of the range is RAM.
    public func discard(at address: GuestAddress, count: UInt64) {
        let (sum, overflow) = address.addingReportingOverflow(count)
        let end = overflow ? .max : sum
        for region in layout.regions {
            let (from, to) = (max(address, region.start), min(end, region.end))
            if from < to, let slice = try? slice(at: from, count: to - from) { discard(slice) }
        }
    }

    /// Copies a value out. The value's bytes are read once.
    public func read<Value: BitwiseCopyable>(_ type: Value.Type, at address: GuestAddress) throws(GuestMemoryError) -> Value {
        try slice(at: address, count: UInt64(MemoryLayout<Value>.size)).load(type, at: 0)
    }

    /// Copies a value in.
    public func write<Value: BitwiseCopyable>(_ value: Value, at address: GuestAddress) throws(GuestMemoryError) {
        try slice(at: address, count: UInt64(MemoryLayout<Value>.size)).store(value, at: 0)
    }

    /// Copies bytes in.
    public func write(_ bytes: [UInt8], at address: GuestAddress) throws(GuestMemoryError) {
        let target = try slice(at: address, count: UInt64(bytes.count))
        _ = bytes.withUnsafeBytes { target.copy(from: $0) }
    }

    /// Copies bytes out.
    public func bytes(at address: GuestAddress, count: Int) throws(GuestMemoryError) -> [UInt8] {
        let source = try slice(at: address, count: UInt64(count))
        return Array(UnsafeRawBufferPointer(source.buffer))
    }

    /// Reads a part of a file straight into guest memory.
    public func load(
        _ file: borrowing FileDescriptor, offset: UInt64, count: UInt64, at address: GuestAddress
    ) throws(GuestMemoryError) {
        let target = try slice(at: address, count: count)
        let done: Int
        do throws(Errno) {
            done = try file.read(into: target.buffer, at: offset)
        } catch {
            throw .fileRead(offset: offset, error)
        }
        if done < target.count { throw .fileRead(offset: offset + UInt64(done), nil) }
    }
}
