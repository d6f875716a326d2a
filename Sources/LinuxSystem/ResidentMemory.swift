/// How much of this process is in memory, its guest's RAM included. Any thread may ask.
public struct ResidentMemory: ~Copyable, Sendable {
    private let file: FileDescriptor

    // Of every Linux on x86-64.
    private static let pageSize: UInt64 = 4096

    /// Opens /proc/self/statm, so that later nothing needs to be found in /proc.
    public init() throws(Errno) {
        file = try .open("/proc/self/statm", .readOnly)
    }

    /// Bytes; nil when the kernel does not say. The format is that of proc(5): the second number is the pages in memory.
    public func bytes() -> UInt64? {
        guard let text = try? file.prefix(256) else { return nil }
        let words = text.split(separator: UInt8(ascii: " "))
        guard words.count > 1, let pages = UInt64(String(decoding: words[1], as: UTF8.self)) else { return nil }
        return pages.multipliedReportingOverflow(by: Self.pageSize).partialValue
    }
}
