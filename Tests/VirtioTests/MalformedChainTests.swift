import GuestMemory
import TestSupport
import Testing
import Virtio

@Suite("Malformed chains")
struct MalformedChainTests {
    /// Something a driver must not do, and what the queue says of it.
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let features: FeatureBits
        let error: QueueError
        let build: @Sendable (MockDriver) throws -> Void

        init(_ name: String, _ error: QueueError, features: FeatureBits = [.version1, .indirectDescriptors],
             _ build: @escaping @Sendable (MockDriver) throws -> Void) {
            testDescription = name
            self.error = error
            self.features = features
            self.build = build
        }
    }

    private static let data = QueueHarness.buffers
    private static let table = QueueHarness.indirectTable
    private static let next = MockDriver.next, write = MockDriver.write, indirect = MockDriver.indirect

    /// A single buffer in the wrong place.
    private static func buffer(_ name: String, _ address: GuestAddress, _ count: UInt32) -> Case {
        Case(name, .buffer(.outOfRange(address: address, count: UInt64(count)))) {
            try $0.add([.writable(address, count)])
        }
    }

    /// A single descriptor that refers to an indirect table.
    private static func indirectTable(_ name: String, count: UInt32, flags: UInt16 = 0) -> Case {
        Case(name, .indirectTable) {
            try $0.put(0, address: table, count: count, flags: indirect | flags)
            try $0.makeAvailable(0)
        }
    }

    static let cases: [Case] = [
        Case("a head past the table", .descriptorIndex(8)) { try $0.makeAvailable(8) },
        Case("a head far past the table", .descriptorIndex(.max)) { try $0.makeAvailable(.max) },
        Case("a descriptor that is its own next", .chainTooLong) {
            try $0.put(0, address: data, count: 1, flags: next, next: 0)
            try $0.makeAvailable(0)
        },
        Case("a loop of two", .chainTooLong) {
            try $0.put(0, address: data, count: 1, flags: next, next: 3)
            try $0.put(3, address: data, count: 1, flags: next, next: 0)
            try $0.makeAvailable(0)
        },
        Case("a loop of empty buffers", .chainTooLong) {
            try $0.put(0, address: data, count: 0, flags: next, next: 1)
            try $0.put(1, address: data, count: 0, flags: next, next: 0)
            try $0.makeAvailable(0)
        },
        Case("a loop through all descriptors", .chainTooLong) { driver in
            for index in 0..<8 as Range<UInt16> {
                try driver.put(index, address: data, count: 1, flags: next, next: (index + 1) % 8)
            }
            try driver.makeAvailable(0)
        },
        Case("a next past the table", .descriptorIndex(8)) {
            try $0.put(0, address: data, count: 1, flags: next, next: 8)
            try $0.makeAvailable(0)
        },
        Case("a readable buffer after a writable one", .readableAfterWritable) {
            try $0.add([.writable(data, 1), .readable(data, 1)])
        },
        Case("a readable buffer after an empty writable one", .readableAfterWritable) {
            try $0.add([.writable(data, 0), .readable(data, 1)])
        },
        Case("an index one further ahead than the queue is long",
            .availableIndexAhead(by: 9)) { $0.availableIndex = 9 },
        Case("an index that went back", .availableIndexAhead(by: .max)) { $0.availableIndex = .max },
        buffer("a buffer behind RAM", 0x1_4000_0000, 1),
        buffer("a buffer over the end of RAM", 0x1_3FFF_FFFF, 2),
        buffer("a buffer that wraps", .max, 2),
        buffer("a buffer that ends at the top of the address space", .max - 15, 16),
        buffer("the longest buffer", 0x1_3000_0000, .max),
        buffer("a buffer in the hole", 0xD000_0000, 512),
        buffer("a buffer from RAM into the hole", 0xBFFF_FF00, 512),
        buffer("a buffer from the hole into RAM", 0xFFFF_FF00, 512),
        buffer("a buffer from one region into the other", 0xBFFF_FF00, 0x4000_0200),
        indirectTable("an indirect table without entries", count: 0),
        indirectTable("an indirect table of less than one entry", count: 15),
        indirectTable("an indirect table of a broken number of entries", count: 17),
        indirectTable("an indirect table with the longest, broken length", count: .max),
        indirectTable("an indirect table that also has a next", count: 16, flags: next),
        Case("an indirect table in an indirect table", .indirectTable) {
            try $0.put(0, address: table, count: 16, flags: indirect)
            try $0.put(0, address: table, count: 16, flags: indirect, table: table)
            try $0.makeAvailable(0)
        },
        Case("an indirect table that was not agreed upon", .indirectTable, features: .version1) {
            try $0.addIndirect([.readable(data, 1)], table: table)
        },
        Case("an indirect table outside RAM", .buffer(.outOfRange(address: 0xC000_0000, count: 16))) {
            try $0.put(0, address: 0xC000_0000, count: 16, flags: indirect)
            try $0.makeAvailable(0)
        },
        Case("an indirect table over the end of RAM", .buffer(.outOfRange(address: 0x1_3FFF_FFF0, count: 32))) {
            try $0.put(0, address: 0x1_3FFF_FFF0, count: 32, flags: indirect)
            try $0.makeAvailable(0)
        },
        Case("a next past an indirect table", .descriptorIndex(1)) {
            try $0.put(0, address: table, count: 16, flags: indirect)
            try $0.put(0, address: data, count: 1, flags: next, next: 1, table: table)
            try $0.makeAvailable(0)
        },
        Case("a loop in an indirect table", .chainTooLong) {
            try $0.put(0, address: table, count: 16, flags: indirect)
            try $0.put(0, address: data, count: 1, flags: next, next: 0, table: table)
            try $0.makeAvailable(0)
        },
        Case("an indirect chain longer than the queue", .chainTooLong) {
            try $0.addIndirect((0..<9).map { .readable(data + $0, 1) }, table: table)
        },
        Case("direct and indirect descriptors that together are more than the queue", .chainTooLong) {
            try $0.put(0, address: data, count: 1, flags: next, next: 1)
            try $0.put(1, address: table, count: 128, flags: indirect)
            for index in 0..<8 as Range<UInt16> {
                try $0.put(index, address: data, count: 1, flags: index < 7 ? next : 0, next: index + 1, table: table)
            }
            try $0.makeAvailable(0)
        },
    ]

    @Test("are refused before a device sees them", arguments: cases)
    func refused(malformed: Case) throws {
        let harness = try QueueHarness(features: malformed.features)
        try malformed.build(harness.driver)
        #expect(throws: malformed.error) { _ = try harness.queue.next(harness.chain) }
        #expect(harness.driver.usedIndex == 0)
    }

    @Test("do not hurt the chain before them")
    func afterGoodOne() throws {
        let harness = try QueueHarness()
        try harness.driver.add([.readable(Self.data, 4)])
        try harness.driver.makeAvailable(8)
        #expect(try harness.queue.next(harness.chain))
        #expect(harness.chain.readableCount == 4)
        harness.queue.push(head: harness.chain.head, written: 0)
        #expect(throws: QueueError.descriptorIndex(8)) { _ = try harness.queue.next(harness.chain) }
        #expect(harness.driver.usedIndex == 1)
    }
}
