import GuestMemory
import LinuxSystem
import TestSupport
import Testing
import Virtio

@Suite("Random drivers")
struct RandomOperationTests {
    private static let registers: [UInt64] = Array(stride(from: 0, to: 0x110, by: 4))

    @Test("thousands of random accesses and rings never crash the device, and it works after a reset",
          arguments: 1...12 as ClosedRange<UInt64>)
    func registersAndRings(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 20)))
        let loop = try LoopThread()
        let device = TestDevice(features: 1, queueSizes: [8, 64], configuration: [1, 2, 3, 4], loop: loop.loop)
        let driver = try TransportDriver(device, memory: memory)
        let rings = MockDriver(memory: memory, size: 8)
        for _ in 0..<6000 {
            switch random.below(12) {
            case 0: driver.status = UInt32(random.pick([0, 1, 3, 11, 15, 15, 128, 64, 255, Int(random.next() & 0xFF)]))
            case 1: try driver.start(rings,
                features: MMIO.version1 | random.next() & (MMIO.eventIndex | MMIO.indirect | 1))
            case 2, 3: try scribble(rings, &random)
            case 4: rings.availableIndex = rings.availableIndex &+ UInt16(random.below(10))
            case 5: driver.kick(UInt32(random.below(3)))
            case 6: driver.configure(UInt32(random.below(3)), rings)
            case 7:
                let offset = random.pick([UInt64(random.below(0x1000)), random.next()])
                _ = driver.transport.read(offset: offset, size: random.below(9))
            case 8:
                driver.transport.write(offset: UInt64(random.below(0x1000)), size: random.below(9),
                    value: random.next())
            default:
                let value = UInt32(random.below(1 << 22))
                driver[random.pick(Self.registers)] = random.pick([0, 1, 2, 8, 0x1_0000, .max, value])
            }
        }
        try driver.start(rings)
        try rings.add([.writable(0x10_0000, 5)])
        driver.kick()
        try driver.wait(for: rings, used: 1)
        #expect(rings.used(0) == (0, 5), "seed \(seed)")
        #expect(device.activations - device.resets == 1, "seed \(seed)")
    }

    @Test("random rings never make the used index pass the available one", arguments: 21...28 as ClosedRange<UInt64>)
    func invariants(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<300 {
            let size = random.pick([1, 2, 8, 32] as [UInt16])
            let features = FeatureBits(rawValue: random.next()).intersection(.transport).union(.version1)
            let memory = try GuestMemory(layout: try #require(RAMLayout(size: 1 << 20)))
            let driver = MockDriver(memory: memory, size: size)
            let queue = try Virtqueue(QueueHarness.configuration(driver), memory: memory, features: features)
            let chain = DescriptorChain(capacity: Int(size))
            var used: UInt16 = 0
            do throws(QueueError) {
                for _ in 0..<40 {
                    try? scribble(driver, &random)
                    driver.availableIndex = driver.availableIndex &+ UInt16(random.below(Int(size) + 1))
                    queue.disableKicks()
                    while try queue.next(chain) {
                        #expect(chain.head < size)
                        var left = chain.readableCount + chain.writableCount
                        chain.forEachSlice(writable: false, from: 0, count: .max) { left -= $0.count; return true }
                        chain.forEachSlice(writable: true, from: 0, count: .max) { left -= $0.count; return true }
                        #expect(left == 0, "seed \(seed)")
                        queue.push(head: chain.head, written: chain.writableCount)
                        used &+= 1
                        _ = queue.shouldNotifyDriver()
                        guard driver.usedIndex == used, driver.availableIndex &- used <= size else {
                            Issue.record("used \(driver.usedIndex), available \(driver.availableIndex), seed \(seed)")
                            return
                        }
                    }
                    _ = queue.enableKicks()
                }
            } catch {
                // Most random chains are malformed: the queue says so, and that is the end of it.
            }
        }
    }

    /// Random descriptors and heads, half of them nearly right.
    private func scribble(_ driver: MockDriver, _ random: inout SplitMix64) throws {
        for index in 0..<driver.size {
            let isSane = random.below(8) != 0
            let table: GuestAddress = 0x2_0000
            try driver.put(
                index, address: isSane ? UInt64(random.below(0x8_0000)) : random.next(),
                count: isSane ? UInt32(random.below(0x1000)) : UInt32(truncatingIfNeeded: random.next()),
                flags: UInt16(random.pick([0, 0, 1, 2, 2, 3, 4, 5, 7])),
                next: UInt16(random.below(Int(driver.size) + (isSane ? 0 : 2))),
                table: random.below(4) == 0 ? table : nil)
            try driver.memory.write(UInt16(random.below(Int(driver.size) + (random.below(20) == 0 ? 1 : 0))),
                                    at: driver.availableRing + 4 + 2 * UInt64(index))
        }
        if random.below(4) == 0 {
            try driver.put(0, address: 0x2_0000, count: UInt32(16 * random.below(40)), flags: MockDriver.indirect)
        }
    }
}
