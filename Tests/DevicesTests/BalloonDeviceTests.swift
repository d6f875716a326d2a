import Devices
import Glibc
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("Balloon device")
struct BalloonDeviceTests {
    private static let statistics: UInt64 = 2, deflateOnOOM: UInt64 = 4, poison: UInt64 = 16, reporting: UInt64 = 32
    private static let all = statistics | deflateOnOOM | poison | reporting
    private static let list: GuestAddress = 0x10_0000
    private static let pages: GuestAddress = 0x100_0000

    private let memory: GuestMemory
    private let loop: LoopThread
    private let device: BalloonDevice
    private let driver: TransportDriver
    private let rings: [MockDriver]

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 64 << 20)))
        loop = try LoopThread()
        device = BalloonDevice(loop: loop.loop)
        driver = try TransportDriver(device, memory: memory)
        rings = [0, 1, 2, 3].map { [memory] in MockDriver(memory: memory, size: 128, base: 0x1_0000 + 0x1_0000 * UInt64($0)) }
    }

    private func start(_ features: UInt64 = all & ~poison, queues: Int = 4, poisonValue: UInt32? = nil) throws {
        for ring in rings { try ring.reset() }
        #expect(driver.negotiate(MMIO.version1 | features))
        if let poisonValue { driver[MMIO.configuration + 12] = poisonValue }
        for index in 0..<queues { driver.configure(UInt32(index), rings[index]) }
        driver.driverOK()
    }

    /// Sends a chain through a queue and waits until it is used.
    private func submit(_ queue: Int, _ buffers: [MockDriver.Buffer]) throws {
        let used = rings[queue].usedIndex
        try rings[queue].add(buffers)
        driver.kick(UInt32(queue))
        try driver.wait(for: rings[queue], used: used &+ 1)
        #expect(rings[queue].used(used).count == 0)
    }

    /// A buffer with these page numbers.
    private func numbers(_ pages: [UInt32]) throws -> MockDriver.Buffer {
        var bytes = [UInt8](repeating: 0, count: 4 * pages.count)
        for (index, page) in pages.enumerated() { bytes.put(page, at: 4 * index) }
        try memory.write(bytes, at: Self.list)
        return .readable(Self.list, UInt32(bytes.count))
    }

    /// Makes this many pages from `pages` on not zero.
    private func fill(_ count: Int) throws {
        for index in 0..<count { try memory.write(UInt64(0x5A), at: Self.pages + 4096 * UInt64(index) + 8) }
    }

    /// Which of the pages have been given back.
    private func discarded(_ count: Int) throws -> [Int] {
        try (0..<count).filter { try memory.read(UInt64.self, at: Self.pages + 4096 * UInt64($0) + 8) == 0 }
    }

    // MARK: Inflate and deflate

    @Test("the pages that an inflate request lists are given back, in whatever order, and no other", arguments: [
        ([], []), ([3], [3]), ([1, 2, 3], [1, 2, 3]), ([7, 6, 5], [5, 6, 7]), ([4, 5, 3, 6], [3, 4, 5, 6]), ([2, 2, 2], [2]),
        ([0, 2, 4, 6], [0, 2, 4, 6]), ([9, 1, 8, 2], [1, 2, 8, 9]), ([15], [15]),
    ] as [([Int], [Int])])
    func inflate(listed: [Int], given: [Int]) throws {
        try start()
        #expect(driver[MMIO.deviceID] == 5)
        try fill(16)
        try submit(0, [try numbers(listed.map { UInt32(Self.pages / 4096) + UInt32($0) })])
        #expect(try discarded(16) == given)
    }

    @Test("pages that are no RAM, and what is left of a number, are ignored; the last page of RAM is not")
    func outside() throws {
        try start()
        try fill(2)
        let last = (64 << 20) - 8 as GuestAddress
        try memory.write(UInt64.max, at: last)
        let buffer = try numbers([.max, 0x4000, 0x3FFF, 0x4000, 0xC_0000, 0x10_0000, 0x1000, 0xFFFF_FFFE, 0])
        // 0x1000 is the first of `pages`; of the last number only three bytes are there.
        try memory.write(UInt64.max, at: 0)
        try submit(0, [.readable(buffer.address, buffer.count - 1)])
        #expect(try discarded(2) == [0])
        #expect(try memory.read(UInt64.self, at: last) == 0)
        #expect(try memory.read(UInt64.self, at: 0) == .max)
    }

    @Test("of a request that lists more than the limit the rest is ignored")
    func limit() throws {
        try start()
        try fill(2)
        var listed = [UInt32](repeating: UInt32(Self.pages / 4096), count: BalloonDevice.requestLimit)
        listed.append(UInt32(Self.pages / 4096) + 1)
        try submit(0, [try numbers(listed)])
        #expect(try discarded(2) == [0])
    }

    @Test("numbers may be spread over buffers of any size", arguments: 1...20 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        try start()
        try fill(600)
        let listed = (0..<random.below(700)).map { _ in random.below(600) }
        let buffer = try numbers(listed.map { UInt32(Self.pages / 4096) + UInt32($0) })
        var buffers: [MockDriver.Buffer] = [], offset: UInt32 = 0
        while offset < buffer.count {
            let count = buffers.count == 100 ? buffer.count - offset : min(UInt32(random.below(60)), buffer.count - offset)
            buffers.append(.readable(buffer.address + UInt64(offset), count))
            offset += count
        }
        if buffers.isEmpty { buffers = [buffer] }
        try submit(0, buffers)
        #expect(try discarded(600) == Set(listed).sorted(), "seed \(seed)")
    }

    @Test("deflating changes no page")
    func deflate() throws {
        try start()
        try fill(4)
        try submit(1, [try numbers([0, 1, 2, 3].map { UInt32(Self.pages / 4096) + $0 })])
        #expect(try discarded(4) == [])
    }

    // MARK: Reporting

    @Test("of a reported range the whole pages are given back", arguments: [
        (0, 8 * 4096, [0, 1, 2, 3, 4, 5, 6, 7]), (1, 8 * 4096, [1, 2, 3, 4, 5, 6, 7]), (4096, 4096, [1]), (4095, 4097, [1]),
        (4096, 4095, []), (1, 4095, []), (0, 0, []), (100, 8192, [1]),
    ] as [(UInt64, UInt32, [Int])])
    func report(offset: UInt64, count: UInt32, given: [Int]) throws {
        try start()
        try fill(10)
        try submit(3, [.writable(Self.pages + offset, count)])
        #expect(try discarded(10) == given)
    }

    @Test("reports are the third queue's for a driver without statistics, and buffers to read are none")
    func packed() throws {
        try start(Self.reporting, queues: 3)
        try fill(4)
        try submit(2, [.readable(Self.pages, 4096), .writable(Self.pages + 4096, 4096), .writable(Self.pages + 3 * 4096, 4096)])
        #expect(try discarded(4) == [1, 3])
    }

    @Test("a driver that fills free pages with something keeps them, unless that is zero", arguments: [
        (0, [0, 1]), (0xAAAA_AAAA, []), (1, []),
    ] as [(UInt32, [Int])])
    func poisoned(value: UInt32, given: [Int]) throws {
        try start(Self.all, poisonValue: value)
        try fill(2)
        try submit(3, [.writable(Self.pages, 8192)])
        #expect(try discarded(2) == given)
        // The value is the driver's that wrote it, not its successor's.
        try start(Self.all)
        #expect(driver[MMIO.configuration + 12] == 0)
    }

    @Test("without the feature nothing is taken from the queue")
    func notReporting() throws {
        try start(Self.statistics)
        try rings[3].add([.writable(Self.pages, 4096)])
        driver.kick(3)
        try submit(0, [try numbers([])])
        #expect(rings[3].usedIndex == 0)
    }

    @Test("buffers outside of RAM make the device ask for a reset, and a reset makes it whole", arguments: [0, 1, 2, 3])
    func malformed(queue: Int) throws {
        try start()
        try rings[queue].add([MockDriver.Buffer(address: (64 << 20) - 4, count: 8, isWritable: queue == 3)])
        driver.kick(UInt32(queue))
        try driver.waitForNeedsReset()
        try start()
        try fill(1)
        try submit(0, [try numbers([UInt32(Self.pages / 4096)])])
        #expect(try discarded(1) == [0])
    }

    // MARK: Size

    @Test("the target is told in pages and announced to an active driver; what the driver says it has is kept until a reset")
    func target() throws {
        device.target = 5 << 20
        #expect(driver[MMIO.configuration] == 1280)
        try start()
        #expect(!driver.line.take())
        device.target = (6 << 20) + 4095
        try driver.line.wait("the change")
        #expect(driver[MMIO.interruptStatus] & 2 != 0 && driver[MMIO.configuration] == 1536)
        driver[MMIO.configuration + 4] = 1536
        #expect(device.actual == 6 << 20 && device.target == 6 << 20)
        // The target is the device's own.
        driver[MMIO.configuration] = 0
        driver[MMIO.configuration + 8] = .max
        driver.transport.write(offset: MMIO.configuration, size: 8, value: 1 << 32)
        #expect(driver[MMIO.configuration] == 1536 && device.actual == 4096 && driver[MMIO.configuration + 8] == 0)
        driver.status = 0
        #expect(device.actual == 0 && device.target == 6 << 20)
        device.target = .max
        #expect(device.target == 0xFFFF_FFFF * 4096)
    }

    // MARK: Statistics

    private func entries(_ entries: [(UInt16, UInt64)], at address: GuestAddress = list) throws -> MockDriver.Buffer {
        var bytes = [UInt8](repeating: 0, count: 10 * entries.count)
        for (index, entry) in entries.enumerated() {
            bytes.put(entry.0, at: 10 * index)
            bytes.put(entry.1, at: 10 * index + 2)
        }
        try memory.write(bytes, at: address)
        return .readable(address, UInt32(bytes.count))
    }

    /// What the guest has said; also asks it for more, and does not wait for that.
    private func latest() -> GuestStatistics? { device.statistics(waitingFor: 0)?.values }

    /// Nothing is signalled when the device has taken a buffer that it keeps.
    private func waitUntil(_ what: String, _ condition: () -> Bool) throws {
        let deadline = Clock.monotonicNanoseconds() + UInt64(patience) * 1_000_000
        while !condition() {
            guard Clock.monotonicNanoseconds() < deadline else { throw TimeoutError(what: what) }
            poll(nil, 0, 1)
        }
    }

    @Test("asking gives the driver its buffer back, and waits for the next one")
    func asking() throws {
        #expect(latest() == nil)
        try start()
        #expect(latest() == nil)
        try rings[2].add([try entries([(4, 100), (5, 200)])])
        driver.kick(2)
        let (rings, driver, memory) = (Unsafe(rings[2]), Unsafe(driver), memory)
        let guest = Gate()
        _ = try Thread(name: "guest") {
            // As Linux does: at each used buffer a new one, with new figures.
            for round in 1...3 as ClosedRange<UInt16> {
                try? driver.value.wait(for: rings.value, used: round)
                try? memory.write(UInt64(round) * 1000, at: Self.list + 2)
                _ = try? rings.value.add([.readable(Self.list, 20)])
                driver.value.kick(2)
            }
            guest.open()
        }
        try waitUntil("the first buffer") { device.statistics(waitingFor: 60_000_000_000) != nil }
        var last: UInt64 = 0
        while last < 3000 {
            let value = try #require(device.statistics(waitingFor: 60_000_000_000)?.values[.free])
            #expect(value >= last)
            last = value
            if last == 3000 { break }
        }
        guest.wait()
        #expect(device.statistics(waitingFor: 0)?.values[.total] == 200)
        driver.value.status = 0
        #expect(latest() == nil)
    }

    @Test("a guest that does not answer is asked once, and not waited for again")
    func silent() throws {
        try start()
        try rings[2].add([try entries([(4, 7)])])
        driver.kick(2)
        try waitUntil("the first buffer") { latest() != nil }
        try driver.wait(for: rings[2], used: 1)
        // Would not return before the test's patience is at its end.
        #expect(device.statistics(waitingFor: .max / 4)?.values[.free] == 7)
        #expect(rings[2].usedIndex == 1)
    }

    @Test("known tags are taken from requests of any form, and nothing else", arguments: [
        ([(4, 1), (5, 2), (4, 3)], 0, 3, 2), ([(16, 1), (0xFFFF, 2), (5, 9)], 0, nil, 9), ([(4, 1), (5, 2)], 9, 1, nil),
        ([], 0, nil, nil), ((0..<63).map { _ in (99, 0) } + [(4, 5), (5, 6)], 0, 5, nil),
        ((0..<4000).map { (UInt16(truncatingIfNeeded: $0), 8) }, 0, 8, 8),
    ] as [([(UInt16, UInt64)], UInt32, UInt64?, UInt64?)])
    func forms(listed: [(UInt16, UInt64)], cut: UInt32, free: UInt64?, total: UInt64?) throws {
        try start()
        var buffer = try entries(listed)
        buffer.count -= cut
        try rings[2].add([buffer])
        driver.kick(2)
        try waitUntil("the statistics") { latest() != nil }
        let values = try #require(latest())
        #expect(values[.free] == free && values[.total] == total)
    }

    @Test("a driver that adds a second buffer gets the first one back")
    func second() throws {
        try start()
        let head = try rings[2].add([try entries([(4, 1)])])
        try rings[2].add([try entries([(4, 2)], at: Self.list + 0x1000)])
        driver.kick(2)
        try driver.wait(for: rings[2], used: 1)
        #expect(rings[2].used(0).id == UInt32(head))
        try waitUntil("the second") { latest()?[.free] == 2 }
    }

    /// Sound: handed to one other thread, and used there alone until that has ended.
    private struct Unsafe<Value>: @unchecked Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }
}
