import GuestMemory
import LinuxSystem

/// Goes through a part of this process's memory and tells which pages it has of its own, without touching any.
///
/// A page is the process's own when it is mapped or swapped out and, in a mapping of a file, is no longer the file's. All
/// other pages read as zeros in anonymous memory, and as the file's in a private mapping of one. Without /proc/self/pagemap,
/// every page counts as the process's own.
struct PageRuns {
    /// Pages in a row of which the same is true.
    struct Run: Equatable {
        /// Bytes, from the part's begin; whole pages.
        let range: Range<Int>
        let isOwn: Bool
    }

    private let map: PageMap?
    private let address: UInt
    private let pageCount: Int
    /// Whether the memory is a private mapping of a file.
    private let isOfFile: Bool
    /// The next page that no run has had.
    private var page = 0
    private var entries: [PageMap.Entry] = []
    /// Of the first entry.
    private var firstPage = 0

    /// 32 MiB of guest memory at a time.
    private static let entryCount = 8192

    /// - Parameters:
    ///   - host: the first page; `count` bytes from it on are mapped, and `count` is a multiple of a page's size.
    init(_ host: UnsafeRawPointer, count: Int, isOfFile: Bool, map: PageMap?) {
        address = UInt(bitPattern: host)
        pageCount = count / PageMap.pageSize
        self.isOfFile = isOfFile
        self.map = map
    }

    /// nil when all pages have had their run. No two runs in a row say the same.
    mutating func next() -> Run? {
        guard page < pageCount else { return nil }
        let start = page
        let isOwn = isOwn(page)
        page += 1
        while page < pageCount, self.isOwn(page) == isOwn { page += 1 }
        return Run(range: (start * PageMap.pageSize)..<(page * PageMap.pageSize), isOwn: isOwn)
    }

    private mutating func isOwn(_ page: Int) -> Bool {
        guard let map else { return true }
        if page >= firstPage + entries.count { fill(from: page, map) }
        // Where the kernel stops telling, the page is looked at.
        guard page < firstPage + entries.count else { return true }
        let entry = entries[page - firstPage]
        return entry.isTouched && !(isOfFile && entry.isOfFile)
    }

    private mutating func fill(from page: Int, _ map: PageMap) {
        let start = address + UInt(page * PageMap.pageSize)
        firstPage = page
        entries = [PageMap.Entry](unsafeUninitializedCapacity: min(Self.entryCount, pageCount - page)) { buffer, count in
            count = (try? map.read(from: start, into: buffer)) ?? 0
        }
    }
}
