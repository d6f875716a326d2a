/// Which pages of guest RAM a difference has: one bit for each, the lowest of a byte first. For 64 GiB these are 2 MiB.
///
/// A list of its own, and not the holes of the file that holds the pages: copies of a file need not have its holes, and file
/// systems with large blocks, or without holes, tell of more data than was written.
struct PageBitmap: Equatable, Sendable {
    let pageCount: Int
    private(set) var bytes: [UInt8]

    init(pageCount: Int) {
        self.pageCount = pageCount
        bytes = [UInt8](repeating: 0, count: (pageCount + 7) / 8)
    }

    /// nil unless there is a bit for every page, and none behind the last is set.
    init?(_ bytes: [UInt8], pageCount: Int) {
        guard bytes.count == (pageCount + 7) / 8 else { return nil }
        if pageCount % 8 > 0, let last = bytes.last, last >> UInt8(pageCount % 8) != 0 { return nil }
        self.bytes = bytes
        self.pageCount = pageCount
    }

    /// The pages are there.
    mutating func insert(_ pages: Range<Int>) {
        var page = pages.lowerBound
        while page < pages.upperBound {
            if page % 8 == 0, pages.upperBound - page >= 8 {
                bytes[page / 8] = 0xFF
                page += 8
            } else {
                bytes[page / 8] |= 1 << UInt8(page % 8)
                page += 1
            }
        }
    }

    /// The first pages at or after `page` that are in it, in a row; nil when there are no more.
    func nextRun(from page: Int) -> Range<Int>? {
        guard let start = next(from: page, set: true) else { return nil }
        return start..<(next(from: start, set: false) ?? pageCount)
    }

    private func next(from start: Int, set: Bool) -> Int? {
        let uniform: UInt8 = set ? 0 : 0xFF
        var page = start
        while page < pageCount {
            let byte = bytes[page / 8]
            if byte == uniform {
                page = (page / 8 + 1) * 8
            } else if (byte >> UInt8(page % 8) & 1 != 0) == set {
                return page
            } else {
                page += 1
            }
        }
        return nil
    }
}
