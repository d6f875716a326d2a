import GuestMemory
import LinuxSystem
import TestSupport
import Testing
import Virtio

@Suite("Descriptor chains")
struct ChainTests {
    private static let data = QueueHarness.buffers

    @Test("an empty queue has no chain")
    func empty() throws {
        let harness = try QueueHarness()
        #expect(try !harness.queue.next(harness.chain))
    }

    @Test("a chain's buffers are read in order, then written in order")
    func order() throws {
        let harness = try QueueHarness()
        try harness.memory.write([1, 2, 3], at: Self.data)
        try harness.memory.write([4, 5], at: Self.data + 0x1000)
        let head = try harness.driver.add([
            .readable(Self.data, 3), .readable(Self.data + 0x1000, 2), .writable(Self.data + 0x2000, 2),
            .writable(Self.data + 0x3000, 4),
        ])
        #expect(try harness.queue.next(harness.chain))
        #expect(harness.chain.head == head)
        #expect(harness.chain.readableCount == 5)
        #expect(harness.chain.writableCount == 6)
        #expect(harness.readable == [1, 2, 3, 4, 5])
        #expect(harness.chain.read(UInt16.self, at: 2) == 0x0403)
        #expect(harness.chain.read(UInt16.self, at: 4) == nil)
        let written = [9, 8, 7, 6] as [UInt8]
        #expect(written.withUnsafeBytes { harness.chain.write($0, at: 1) } == 4)
        #expect(try harness.memory.bytes(at: Self.data + 0x2000, count: 3) == [0, 9, 0])
        #expect(try harness.memory.bytes(at: Self.data + 0x3000, count: 4) == [8, 7, 6, 0])
    }

    @Test("a copy ends where the buffers end")
    func ends() throws {
        let harness = try QueueHarness()
        try harness.driver.add([.readable(Self.data, 3), .writable(Self.data + 0x1000, 2)])
        #expect(try harness.queue.next(harness.chain))
        let bytes = [1, 2, 3, 4] as [UInt8]
        #expect(bytes.withUnsafeBytes { harness.chain.write($0, at: 0) } == 2)
        #expect(bytes.withUnsafeBytes { harness.chain.write($0, at: 2) } == 0)
        #expect(bytes.withUnsafeBytes { harness.chain.write($0, at: .max) } == 0)
        #expect(try harness.memory.bytes(at: Self.data + 0x1000, count: 3) == [1, 2, 0])
        var vectors = IOVectorList(capacity: 8)
        let tooMuch = harness.chain.gather(writable: true, from: 0, count: 3, into: &vectors)
        #expect(!tooMuch)
        var none = IOVectorList(capacity: 0)
        let noRoom = harness.chain.gather(writable: true, from: 0, count: 1, into: &none)
        #expect(!noRoom)
    }

    @Test("buffers of no length hold nothing and are passed over")
    func zeroLength() throws {
        let harness = try QueueHarness()
        try harness.memory.write([1, 2], at: Self.data)
        try harness.driver.add([
            .readable(Self.data, 0), .readable(Self.data, 1), .readable(Self.data, 0), .readable(Self.data + 1, 1),
            .writable(Self.data, 0), .writable(Self.data + 0x1000, 1), .writable(Self.data, 0),
        ])
        #expect(try harness.queue.next(harness.chain))
        #expect(harness.readable == [1, 2])
        #expect(harness.chain.writableCount == 1)
    }

    @Test("a chain may have as many descriptors as the queue", arguments: [1, 2, 8, 256] as [UInt16])
    func longest(size: UInt16) throws {
        let harness = try QueueHarness(size: size)
        try harness.driver.add((0..<UInt64(size)).map { .readable(Self.data + $0, 1) })
        #expect(try harness.queue.next(harness.chain))
        #expect(harness.chain.readableCount == Int(size))
    }

    @Test("an indirect table counts only its own descriptors")
    func indirect() throws {
        let harness = try QueueHarness()
        try harness.memory.write(Array(1...8) as [UInt8], at: Self.data)
        try harness.driver.addIndirect((0..<8).map { .readable(Self.data + $0, 1) }, table: QueueHarness.indirectTable)
        #expect(try harness.queue.next(harness.chain))
        #expect(harness.readable == Array(1...8))
    }

    @Test("an indirect table may be larger than the queue when the chain in it is not")
    func largeTable() throws {
        let harness = try QueueHarness()
        let driver = harness.driver
        try driver.put(0, address: QueueHarness.indirectTable, count: 16 * 100_000, flags: MockDriver.indirect)
        try driver.put(0, address: Self.data, count: 1, flags: MockDriver.next, next: 65534,
            table: QueueHarness.indirectTable)
        try driver.put(65534, address: Self.data, count: 2, table: QueueHarness.indirectTable)
        try driver.makeAvailable(0)
        #expect(try harness.queue.next(harness.chain))
        #expect(harness.chain.readableCount == 3)
    }

    @Test("an indirect table may end a chain of direct descriptors, and its own write flag is ignored")
    func mixed() throws {
        let harness = try QueueHarness()
        let driver = harness.driver
        try driver.put(0, address: Self.data, count: 1, flags: MockDriver.next, next: 5)
        try driver.put(5, address: QueueHarness.indirectTable, count: 32, flags: MockDriver.indirect | MockDriver.write)
        try driver.put(0, address: Self.data, count: 2, flags: MockDriver.next, next: 1,
            table: QueueHarness.indirectTable)
        try driver.put(1, address: Self.data, count: 4, flags: MockDriver.write, table: QueueHarness.indirectTable)
        try driver.makeAvailable(0)
        #expect(try harness.queue.next(harness.chain))
        #expect(harness.chain.readableCount == 3)
        #expect(harness.chain.writableCount == 4)
    }

    @Test("a chain is what it was when it was checked, whatever the driver writes afterwards")
    func doubleFetch() throws {
        let harness = try QueueHarness()
        try harness.memory.write([7], at: Self.data)
        try harness.driver.add([.readable(Self.data, 1)])
        #expect(try harness.queue.next(harness.chain))
        try harness.driver.put(0, address: .max, count: .max, flags: MockDriver.next, next: 0)
        #expect(harness.chain.readableCount == 1)
        #expect(harness.readable == [7])
    }
}
