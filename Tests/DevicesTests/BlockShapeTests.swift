import GuestMemory
import TestSupport
import Testing

@Suite("Shapes of block requests")
struct BlockShapeTests {
    private typealias Block = BlockHarness
    private typealias Buffer = MockDriver.Buffer
    private let directory = TemporaryDirectory()
    private static let pattern = (0..<(64 * 512)).map { UInt8(truncatingIfNeeded: $0 &* 17 ^ $0 >> 7) }

    private func harness(_ setup: BlockSetup = BlockSetup()) throws -> BlockHarness {
        try BlockHarness(path: directory.file("disk", Self.pattern), setup: setup)
    }

    /// Cuts `count` bytes at `address` into buffers of these lengths and a rest.
    private static func cut(
        _ address: GuestAddress, _ count: UInt32, _ lengths: [UInt32], isWritable: Bool
    ) -> [Buffer] {
        var buffers: [Buffer] = []
        var start = address
        var left = count
        for length in lengths + [count] where left > 0 {
            let part = min(length, left)
            buffers.append(Buffer(address: start, count: part, isWritable: isWritable))
            start += UInt64(part)
            left -= part
        }
        return buffers
    }

    private static let cuts: [[UInt32]] = [
        [], [1], [512], [511], [1, 1, 1], [100, 412], [513, 3], Array(repeating: 1, count: 60),
        Array(repeating: 7, count: 100),
        [0, 1, 0, 511, 0],
    ]

    @Test("data may be cut anywhere", arguments: cuts, [false, true])
    func data(cuts: [UInt32], isIndirect: Bool) throws {
        let block = try harness()
        try block.putHeader(Block.read, sector: 2)
        let target = Self.cut(Block.data, 1536, cuts, isWritable: true)
        #expect(try block.submit([.readable(Block.header, 16)] + target + [.writable(Block.status, 1)],
            isIndirect: isIndirect) == 1537)
        #expect(try block.memory.bytes(at: Block.data, count: 1536) == Array(Self.pattern[1024..<2560]))
        try block.putHeader(Block.write, sector: 60)
        let source = Self.cut(Block.data, 1536, cuts, isWritable: false)
        #expect(try block.submit([.readable(Block.header, 16)] + source + [.writable(Block.status, 1)],
            isIndirect: isIndirect) == 1)
        #expect(try block.lastStatus() == Block.ok)
        #expect(directory.contents("disk") == Array(Self.pattern[..<30720]) + Array(Self.pattern[1024..<2560])
            + Array(Self.pattern[32256...]))
    }

    @Test("the header may be cut anywhere, and go on into the data", arguments: 1..<16 as Range<UInt32>)
    func header(first: UInt32) throws {
        let block = try harness()
        try block.putHeader(Block.write, sector: 1)
        // Header and data one after the other in memory: the second buffer has the one's rest and the other's begin.
        try block.memory.write([UInt8](repeating: UInt8(first), count: 512), at: Block.header + 16)
        try block.submit([
            .readable(Block.header, first), .readable(Block.header + UInt64(first), 16 - first + 100),
            .readable(Block.header + 116, 412), .writable(Block.status, 1),
        ])
        #expect(try block.lastStatus() == Block.ok)
        #expect(directory.contents("disk")?[512..<1024].allSatisfy { $0 == UInt8(first) } == true)
    }

    @Test("the status may be the last byte of the data's last buffer")
    func mergedStatus() throws {
        let block = try harness()
        try block.putHeader(Block.read, sector: 0)
        #expect(try block.submit([.readable(Block.header, 16), .writable(Block.data, 513)]) == 513)
        #expect(try block.memory.bytes(at: Block.data, count: 513) == Array(Self.pattern[..<512]) + [0])
    }

    @Test("the status of a failed read is behind the data's place")
    func failedRead() throws {
        let block = try harness()
        try block.putHeader(Block.read, sector: 64)
        try block.memory.write([UInt8](repeating: 0x55, count: 513), at: Block.data)
        try block.submit([.readable(Block.header, 16), .writable(Block.data, 513)])
        #expect(try block.memory.bytes(at: Block.data, count: 513) == [UInt8](repeating: 0x55, count: 512) + [1])
    }

    @Test("a request may have as many segments as the queue allows")
    func manySegments() throws {
        let block = try harness()
        try block.putHeader(Block.read, sector: 0)
        let target = (0..<254).map { Buffer.writable(Block.data + UInt64($0) * 128, 128) }
        // 254 segments of 128 bytes are not whole sectors; 252 of them are.
        let whole = Array(target.prefix(252))
        #expect(try block.submit([.readable(Block.header, 16)] + whole + [.writable(Block.status, 1)],
            isIndirect: true) == 32257)
        #expect(try block.memory.bytes(at: Block.data, count: 32256) == Array(Self.pattern[..<32256]))
        try block.submit([.readable(Block.header, 16)] + target + [.writable(Block.status, 1)], isIndirect: true)
        #expect(try block.lastStatus() == Block.ioError)
    }

    @Test("random shapes give what plain ones give", arguments: BlockSetup.all, 1...2 as ClosedRange<UInt64>)
    func random(setup: BlockSetup, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let block = try harness(setup)
        var model = Self.pattern
        for _ in 0..<150 {
            let sector = random.below(64)
            let count = (1 + random.below(64 - sector)) * 512
            let lengths = (0..<random.below(40)).map { _ in UInt32(random.below(1200)) }
            let isWrite = random.below(2) == 0
            try block.putHeader(isWrite ? Block.write : Block.read, sector: UInt64(sector))
            if isWrite { try block.memory.write(random.bytes(count), at: Block.data) }
            let buffers = Self.cut(Block.data, UInt32(count), lengths, isWritable: !isWrite)
            try block.submit([.readable(Block.header, 16)] + buffers + [.writable(Block.status, 1)],
                isIndirect: random.below(2) == 0)
            let data = try block.memory.bytes(at: Block.data, count: count)
            let place = (sector * 512)..<(sector * 512 + count)
            if isWrite {
                model.replaceSubrange(place, with: data)
            } else {
                #expect(data == Array(model[place]), "seed \(seed)")
            }
            #expect(try block.lastStatus() == Block.ok)
        }
        #expect(directory.contents("disk") == model, "seed \(seed)")
    }
}
