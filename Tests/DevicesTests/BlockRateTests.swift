@testable import Devices
import LinuxSystem
import TestSupport
import Testing

@Suite("Rate limits of disks")
struct BlockRateTests {
    private typealias Block = BlockHarness
    private let directory = TemporaryDirectory()
    private static let second: UInt64 = 1_000_000_000

    @Test("a full bucket gives its burst at once, and then as much as comes in")
    func burst() {
        var bucket = TokenBucket(DiskRates.Rate(perSecond: 1000, burst: 10))
        let start = 5 * Self.second
        for _ in 0..<10 { #expect(bucket.take(1, now: start) == 0) }
        #expect(bucket.take(1, now: start) == 1_000_000)
        #expect(bucket.take(1, now: start) == 2_000_000)
        // What was promised is kept: 12 have been taken, and 100 ms bring 100, of which 10 fit.
        for _ in 0..<10 { #expect(bucket.take(1, now: start + 100_000_000) == 0) }
        #expect(bucket.take(1, now: start + 100_000_000) == 1_000_000)
    }

    @Test("more than the bucket holds can be had, and is waited for")
    func large() {
        var bucket = TokenBucket(DiskRates.Rate(perSecond: 1 << 20, burst: 1 << 10))
        #expect(bucket.take(1 << 20, now: 0) == Self.second - Self.second / 1024 - 1 + 1)
        #expect(bucket.take(0, now: 0) == Self.second - Self.second / 1024)
    }

    @Test("over a long time a bucket gives its rate, whatever is taken when", arguments: 1...4 as ClosedRange<UInt64>)
    func longTerm(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let rate = DiskRates.Rate(perSecond: UInt64(1 + random.below(1_000_000)), burst: UInt64(1 + random.below(10_000)))
        var bucket = TokenBucket(rate)
        var now: UInt64 = 1 << 40
        let start = now
        var taken: UInt64 = 0
        for _ in 0..<10_000 {
            let count = UInt64(random.below(100))
            now += bucket.take(count, now: now)
            taken += count
            if random.below(10) == 0 { now += UInt64(random.below(1000)) }
        }
        let earned = Double(now - start) / 1e9 * Double(rate.perSecond) + Double(rate.burst)
        // Each take may be off by a nanosecond's worth.
        #expect(Double(taken) <= earned * 1.001 + 100, "seed \(seed)")
    }

    @Test("no number overflows", arguments: [1, .max] as [UInt64], [1, .max] as [UInt64])
    func extremes(perSecond: UInt64, burst: UInt64) {
        var bucket = TokenBucket(DiskRates.Rate(perSecond: perSecond, burst: burst))
        for count in [0, 1, .max, .max, .max] as [UInt64] { _ = bucket.take(count, now: UInt64(Int64.max)) }
    }

    private static let setups = [
        BlockSetup(.ioUring, readsCache: false), BlockSetup(.threads, readsCache: false), BlockSetup(.automatic, queues: 2),
    ]

    private func harness(_ setup: BlockSetup, _ rates: DiskRates) throws -> BlockHarness {
        var setup = setup
        setup.options.rates = rates
        return try BlockHarness(path: directory.sparseFile("disk", size: 1 << 20),
                                features: Block.plainFeatures | Block.multiQueueFeature, setup: setup)
    }

    @Test("requests come no faster than iops=", arguments: setups)
    func requests(setup: BlockSetup) throws {
        let block = try harness(setup, DiskRates(requests: .init(perSecond: 200, burst: 5)))
        let start = Clock.monotonicNanoseconds()
        for number in 0..<25 {
            let queue = number % block.queues.count
            try block.add(number, on: queue, Block.write, sector: 0, [.readable(Block.data, 512)])
        }
        for queue in block.queues.indices { block.driver.kick(UInt32(queue)) }
        for queue in block.queues.indices { try block.finish(queue: queue) }
        // 5 at once, and 20 in 100 ms.
        #expect(Clock.monotonicNanoseconds() - start >= 100_000_000)
        #expect(try (0..<25).allSatisfy { try block.status($0, on: $0 % block.queues.count) == Block.ok })
    }

    @Test("bytes come no faster than bps=, and requests without bytes are free of it", arguments: setups)
    func bytes(setup: BlockSetup) throws {
        let block = try harness(setup, DiskRates(bytes: .init(perSecond: 1 << 20, burst: 4096)))
        let start = Clock.monotonicNanoseconds()
        try block.request(Block.read, sector: 0, [.writable(Block.data, (100 << 10) + 4096)])
        #expect(Clock.monotonicNanoseconds() - start >= 97_000_000)
        for _ in 0..<100 { #expect(try block.request(Block.getID, sector: 0, [.writable(Block.data, 20)]).status == Block.ok) }
    }

    @Test("a reset does not wait for a request that waits for its turn, which is never done", arguments: setups)
    func reset(setup: BlockSetup) throws {
        let block = try harness(setup, DiskRates(requests: .init(perSecond: 1, burst: 1)))
        try block.memory.write([UInt8](repeating: 9, count: 512), at: Block.data)
        try block.request(Block.read, sector: 0, [.writable(Block.data + 4096, 512)])
        // The next one's turn comes in a second, those of the others in minutes.
        for number in 0..<100 { try block.add(number, Block.write, sector: 0, [.readable(Block.data, 512)]) }
        block.driver.kick()
        block.driver.status = 0
        #expect(directory.contents("disk") == [UInt8](repeating: 0, count: 1 << 20))
    }
}
