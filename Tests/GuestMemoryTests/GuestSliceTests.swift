import GuestMemory
import Testing

@Suite("Guest slices")
struct GuestSliceTests {
    private let memory: GuestMemory
    private let slice: GuestSlice

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 1 << 20)))
        try memory.write(Array(0..<16) as [UInt8], at: 0x100)
        slice = try memory.slice(at: 0x100, count: 16)
    }

    @Test("a part of a slice never reaches beyond it", arguments: [
        (0, 16, 0, 16), (4, 4, 4, 4), (12, 8, 12, 4), (16, 1, 16, 0), (17, 1, 16, 0), (.max, .max, 16, 0),
        (-1, 4, 0, 4), (.min, 4, 0, 4), (4, -1, 4, 0), (0, .max, 0, 16),
    ])
    func subslice(offset: Int, limit: Int, start: Int, count: Int) {
        let part = slice.subslice(from: offset, limit: limit)
        #expect(part.count == count)
        #expect(part.buffer.baseAddress == slice.buffer.baseAddress! + start)
    }

    @Test("copies end with the shorter side")
    func copies() {
        var three: [UInt8] = [9, 9, 9]
        #expect(three.withUnsafeMutableBytes { slice.copy(to: $0) } == 3)
        #expect(three == [0, 1, 2])
        var many = [UInt8](repeating: 9, count: 20)
        #expect(many.withUnsafeMutableBytes { slice.copy(to: $0) } == 16)
        #expect(many[15] == 15 && many[16] == 9)
        #expect(many.withUnsafeBytes { slice.copy(from: $0) } == 16)
        #expect([UInt8]().withUnsafeBytes { slice.copy(from: $0) } == 0)
    }

    @Test("zeroing stays inside")
    func zero() throws {
        slice.subslice(from: 4, limit: 4).zero()
        #expect(try memory.bytes(at: 0x100, count: 10) == [0, 1, 2, 3, 0, 0, 0, 0, 8, 9])
    }

    @Test("values need no alignment, ring indices are 16-bit little-endian")
    func values() {
        slice.store(0xAABB_CCDD as UInt32, at: 3)
        #expect(slice.load(UInt32.self, at: 3) == 0xAABB_CCDD)
        slice.storeRelease(0x1234, at: 8)
        #expect(slice.loadAcquire(at: 8) == 0x1234)
        #expect(slice.load(UInt8.self, at: 8) == 0x34)
    }
}
