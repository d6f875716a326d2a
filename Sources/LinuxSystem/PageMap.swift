import CLinux
import Glibc

/// What the kernel says of this process's pages: /proc/self/pagemap (the kernel's Documentation/admin-guide/mm/pagemap.rst).
/// Asking touches no page. Any thread may ask.
public final class PageMap: Sendable {
    /// One page's word.
    public struct Entry: Sendable, Equatable {
        public let rawValue: UInt64

        public init(rawValue: UInt64) {
            self.rawValue = rawValue
        }

        /// Mapped, or swapped out: the process has touched it. Bits 63 and 62.
        public var isTouched: Bool { rawValue >> 62 != 0 }
        /// A page of a file, or of memory shared like one. Bit 61.
        public var isOfFile: Bool { rawValue >> 61 & 1 != 0 }
    }

    private let file: FileDescriptor

    /// Of every Linux on x86-64.
    public static let pageSize = 4096

    /// For this process as it is now: not for one that forks later. The corresponding C function is `open`.
    public init() throws(Errno) {
        file = try .open("/proc/self/pagemap", .readOnly)
    }

    /// The words of the pages from an address on, which is one of a page; returns how many there are, fewer only at the end
    /// of the address space. The corresponding C function is `pread`.
    public func read(from address: UInt, into entries: UnsafeMutableBufferPointer<Entry>) throws(Errno) -> Int {
        let stride = MemoryLayout<Entry>.stride
        let offset = UInt64(address / UInt(Self.pageSize) * UInt(stride))
        return try file.read(into: UnsafeMutableRawBufferPointer(entries), at: offset) / stride
    }
}
