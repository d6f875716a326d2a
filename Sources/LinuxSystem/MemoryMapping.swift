import CLinux
import Glibc

/// Pages mapped into this process, unmapped when the value ends.
///
/// Sound to share between threads as far as the accesses themselves are: the mapping never moves.
public struct MemoryMapping: ~Copyable, @unchecked Sendable {
    public let base: UnsafeMutableRawPointer
    public let count: Int

    /// Zero pages of its own, given memory only when touched and charged to no swap. The C function is `mmap`
    /// (MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE).
    ///
    /// - Parameter alignment: of the first byte; a power of two, at least a page.
    public init(anonymousBytes count: Int, alignment: Int = 4096) throws(Errno) {
        precondition(count >= 0 && alignment >= 4096 && alignment & (alignment - 1) == 0)
        let (larger, overflow) = count.addingReportingOverflow(alignment - 4096)
        guard !overflow else { throw .noMemory }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let start = mmap(nil, larger, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED else { throw Errno.current }
        // What lies before and behind the aligned part goes back.
        let before = -Int(bitPattern: start) & (alignment - 1)
        if before > 0 { _ = munmap(start, before) }
        let pages = (count + 4095) & ~4095
        let behind = larger - before - pages
        if behind > 0 { _ = munmap(start + before + pages, behind) }
        base = start + before
        self.count = count
    }

    /// A file's bytes from its beginning, `count` of them, all of which it has: read when first touched, and copied when first written
    /// to, which the file does not see. It stays as it is for as long as the mapping lives: pages that a shorter file has no more kill
    /// the process. The C function is `mmap` (MAP_PRIVATE, MAP_NORESERVE).
    public init(privateCopyOf descriptor: Int32, count: Int) throws(Errno) {
        try self.init(count: count, protection: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_NORESERVE, descriptor: descriptor)
    }

    /// `count` bytes of a file or device from an offset of whole pages on, shared with it. The C function is `mmap`
    /// (MAP_SHARED).
    public init(sharing descriptor: Int32, count: Int, offset: Int = 0) throws(Errno) {
        try self.init(count: count, protection: PROT_READ | PROT_WRITE, flags: MAP_SHARED, descriptor: descriptor,
                      offset: offset)
    }

    private init(count: Int, protection: Int32, flags: Int32, descriptor: Int32, offset: Int = 0) throws(Errno) {
        guard let base = mmap(nil, count, protection, flags, descriptor, offset), base != MAP_FAILED else {
            throw Errno.current
        }
        self.base = base
        self.count = count
    }

    deinit {
        _ = munmap(base, count)
    }

    /// Lets go of pages: those of an anonymous mapping read as zeros afterwards, those of a private mapping of a file as the
    /// file has them. The range lies inside the mapping and is made of whole pages. The C function is `madvise` (MADV_DONTNEED).
    public func discard(offset: Int, count: Int) {
        precondition(offset >= 0 && count >= 0 && offset <= self.count - count)
        // Fails for pages that are locked into memory, which then stay.
        _ = madvise(base + offset, count, MADV_DONTNEED)
    }

    /// Has the kernel read a range before it is needed; it lies inside the mapping and is made of whole pages. The C function is
    /// `madvise` (MADV_WILLNEED).
    public func willNeed(offset: Int, count: Int) {
        precondition(offset >= 0 && count >= 0 && offset <= self.count - count)
        _ = madvise(base + offset, count, MADV_WILLNEED)
    }

    /// Keeps the pages out of core dumps. The C function is `madvise` (MADV_DONTDUMP).
    public func excludeFromCoreDumps() {
        // Advice only: a kernel that refuses it leaves larger core files, nothing else.
        _ = madvise(base, count, MADV_DONTDUMP)
    }
}
