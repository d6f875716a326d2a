@testable import Snapshot
import Testing
import TestSupport

@Suite("A map of pages")
struct PageBitmapTests {
    private func pages(_ bitmap: PageBitmap) -> [Int] {
        var (pages, page): ([Int], Int) = ([], 0)
        while let run = bitmap.nextRun(from: page) {
            pages += run
            page = run.upperBound
        }
        return pages
    }

    @Test("gives the pages that were put in, in runs as long as they are")
    func runs() {
        var bitmap = PageBitmap(pageCount: 300)
        #expect(bitmap.nextRun(from: 0) == nil)
        bitmap.insert(3..<5)
        bitmap.insert(5..<40)
        bitmap.insert(299..<300)
        bitmap.insert(100..<100)
        #expect(bitmap.nextRun(from: 0) == 3..<40)
        #expect(bitmap.nextRun(from: 20) == 20..<40)
        #expect(bitmap.nextRun(from: 40) == 299..<300)
        #expect(bitmap.nextRun(from: 300) == nil)
        #expect(PageBitmap(bitmap.bytes, pageCount: 300) == bitmap)
    }

    @Test("is what a set of pages would be", arguments: [0, 1, 2, 3, 4, 5] as [UInt64])
    func model(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let count = 1 + random.below(200)
        var (bitmap, model) = (PageBitmap(pageCount: count), Set<Int>())
        for _ in 0..<20 {
            let start = random.below(count)
            let end = start + random.below(count - start + 1)
            if random.below(2) == 0, end - start > 20 { continue }
            bitmap.insert(start..<end)
            model.formUnion(start..<end)
            #expect(pages(bitmap) == model.sorted(), "seed \(seed)")
        }
    }

    @Test("has a bit for every page and none beyond", arguments: [
        ([0xFF], 8, true), ([0xFF], 7, false), ([0x7F], 7, true), ([0xFF, 1], 8, false), ([], 1, false), ([1, 0], 9, true),
        ([1, 2], 9, false), ([1, 1, 0], 9, false),
    ] as [([UInt8], Int, Bool)])
    func decoding(bytes: [UInt8], count: Int, isValid: Bool) {
        #expect((PageBitmap(bytes, pageCount: count) != nil) == isValid)
    }
}
