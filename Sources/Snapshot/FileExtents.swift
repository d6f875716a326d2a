import LinuxSystem

/// The data of a file that is gone through from front to back: its holes are looked for once each, however many parts of it are
/// asked for. The file does not change meanwhile.
struct FileExtents {
    private var extent: Range<UInt64> = 0..<0
    private var isAtEnd = false

    /// The first data at or after the range's begin, as much of it as lies in the range; nil when there is none. No range
    /// begins before an earlier one.
    mutating func data(in range: Range<UInt64>, of file: borrowing FileDescriptor) throws(Errno) -> Range<UInt64>? {
        if extent.upperBound <= range.lowerBound, !isAtEnd {
            if let next = try file.nextData(from: range.lowerBound) {
                extent = next
            } else {
                isAtEnd = true
            }
        }
        let found = extent.clamped(to: range)
        return found.isEmpty ? nil : found
    }
}
