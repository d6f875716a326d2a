import GuestMemory
import Testing

@Suite("RAM layout")
struct RAMLayoutTests {
    private static let page: UInt64 = 4096

    @Test("leaves a hole from 3 to 4 GiB and continues behind it", arguments: [
        (1 << 20, 1 << 20, nil), (512 << 20, 512 << 20, nil), ((3 << 30) - page, (3 << 30) - page, nil),
        (3 << 30, 3 << 30, nil), ((3 << 30) + page, 3 << 30, page), (4 << 30, 3 << 30, 1 << 30),
        (64 << 30, 3 << 30, 61 << 30),
    ] as [(UInt64, UInt64, UInt64?)])
    func regions(size: UInt64, low: UInt64, high: UInt64?) throws {
        let layout = try #require(RAMLayout(size: size))
        #expect(layout.low == MemoryRegion(start: 0, count: low))
        #expect(layout.high == high.map { MemoryRegion(start: 4 << 30, count: $0) })
        #expect(layout.regions.map(\.count).reduce(0, +) == size)
    }

    @Test("refuses sizes that are not whole pages from 1 MiB to 64 GiB", arguments: [
        0, page, (1 << 20) - page, (1 << 20) + 1, (64 << 30) + page, .max,
    ] as [UInt64])
    func refused(size: UInt64) {
        #expect(RAMLayout(size: size) == nil)
    }
}
