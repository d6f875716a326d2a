import GuestMemory

/// What the file `state` of a snapshot says.
///
/// Its bytes, all integers little-endian as `Wire` writes them:
///
///     magic "SVMMSNAP", format version UInt32, length of the header UInt32
///     identifier 16 bytes, bytes of guest RAM UInt64
///     base: UInt8 0, or 1 and its path (UInt32 length, UTF-8) and identifier (16 bytes)
///     count of sections UInt32, for each: kind UInt32, length UInt64, CRC-32C of the contents UInt32
///     CRC-32C of all that comes before: the header's end
///     contents of the sections, one after the other: the file's end
///
/// So every byte of the file is under a checksum or is one.
public struct SnapshotContents: Equatable, Sendable {
    /// Of the format: raised with every change to it.
    public static let version: UInt32 = 1
    /// Bytes in one section.
    public static let sectionLimit = 64 << 20
    /// Sections in one snapshot.
    public static let sectionCountLimit = 4096
    /// Bytes in the file.
    public static let fileLimit = 256 << 20

    static let magic = Array("SVMMSNAP".utf8)
    /// Magic, version, length of the header.
    static let prefixLength = 16
    /// With the longest path and the most sections a header is shorter.
    static let headerLimit = 128 << 10

    public let identifier: SnapshotIdentifier
    /// Bytes of guest RAM: a size that `RAMLayout` takes, and that of the file `memory`.
    public let memorySize: UInt64
    /// For a difference: what it differs from.
    public let base: SnapshotBase?
    /// In the order in which they were written.
    public let sections: [SnapshotSection]
    /// For a difference: the pages that it has. nil otherwise.
    let pages: PageBitmap?

    init(identifier: SnapshotIdentifier, memorySize: UInt64, difference: (base: SnapshotBase, pages: PageBitmap)? = nil,
         sections: [SnapshotSection]) {
        self.identifier = identifier
        self.memorySize = memorySize
        base = difference?.base
        pages = difference?.pages
        self.sections = sections
    }

    static func pageCount(_ memorySize: UInt64) -> Int { Int(memorySize / RAMLayout.pageSize) }
}
