import GuestMemory
import TestSupport
import Testing
import Virtio

@Suite("Available and used rings")
struct RingTests {
    private static let data = QueueHarness.buffers

    @Test("a used entry names the chain's head and the bytes written")
    func usedEntry() throws {
        let harness = try QueueHarness()
        let first = try harness.driver.add([.writable(Self.data, 4), .writable(Self.data, 4)])
        let second = try harness.driver.add([.writable(Self.data, 4)])
        #expect(first == 0 && second == 2)
        while try harness.queue.next(harness.chain) {
            harness.queue.push(head: harness.chain.head, written: 7 + Int(harness.chain.head))
        }
        #expect(harness.driver.usedIndex == 2)
        #expect(harness.driver.used(0) == (0, 7))
        #expect(harness.driver.used(1) == (2, 9))
    }

    @Test("a written count that does not fit its field is the largest that does", arguments: [
        (-1, 0), (Int.min, 0), (1 << 32, UInt32.max), (Int.max, UInt32.max), (5, 5),
    ] as [(Int, UInt32)])
    func writtenCount(count: Int, entry: UInt32) throws {
        let harness = try QueueHarness()
        harness.queue.push(head: 3, written: count)
        #expect(harness.driver.used(0) == (3, entry))
    }

    @Test("the 16-bit indices wrap, more than once", arguments: [1, 8, 256] as [UInt16])
    func wrap(size: UInt16) throws {
        let harness = try QueueHarness(size: size)
        for round in 0..<140_000 {
            try harness.driver.makeAvailable(UInt16(truncatingIfNeeded: round) & (size - 1))
            guard try harness.queue.next(harness.chain) else {
                Issue.record("chain \(round) was not seen")
                return
            }
            harness.queue.push(head: harness.chain.head, written: round)
            let index = UInt16(truncatingIfNeeded: round)
            guard harness.driver.usedIndex == index &+ 1,
                  harness.driver.used(index) == (UInt32(index & (size - 1)), UInt32(round)) else {
                Issue.record("chain \(round) was not used")
                return
            }
        }
        #expect(try !harness.queue.next(harness.chain))
    }

    @Test("a full ring of chains is taken in order")
    func full() throws {
        let harness = try QueueHarness()
        for index in (0..<8 as Range<UInt16>).reversed() { try harness.driver.makeAvailable(index) }
        for index in (0..<8 as Range<UInt16>).reversed() {
            #expect(try harness.queue.next(harness.chain))
            #expect(harness.chain.head == index)
        }
        #expect(try !harness.queue.next(harness.chain))
    }

    // MARK: Notifications

    @Test("without event indices the driver's flag decides about interrupts")
    func interruptFlag() throws {
        let harness = try QueueHarness()
        harness.queue.push(head: 0, written: 0)
        #expect(harness.queue.shouldNotifyDriver())
        harness.driver.availableFlags = 1
        harness.queue.push(head: 0, written: 0)
        #expect(!harness.queue.shouldNotifyDriver())
        harness.driver.availableFlags = 0
        harness.queue.push(head: 0, written: 0)
        #expect(harness.queue.shouldNotifyDriver())
    }

    @Test("without event indices kicks are switched by the used ring's flag")
    func kickFlag() throws {
        let harness = try QueueHarness()
        #expect(harness.driver.usedFlags == 0)
        harness.queue.disableKicks()
        #expect(harness.driver.usedFlags == 1)
        #expect(!harness.queue.enableKicks())
        #expect(harness.driver.usedFlags == 0)
    }

    @Test("a chain that came while kicks were off is noticed",
          arguments: [[.version1], [.version1, .eventIndex]] as [FeatureBits])
    func lateChain(features: FeatureBits) throws {
        let harness = try QueueHarness(features: features)
        harness.queue.disableKicks()
        #expect(try !harness.queue.next(harness.chain))
        try harness.driver.add([.readable(Self.data, 1)])
        #expect(harness.queue.enableKicks())
        #expect(try harness.queue.next(harness.chain))
        #expect(!harness.queue.enableKicks())
    }

    @Test("with event indices the driver is told when the used index passes its event, across the wrap too")
    func usedEvent() throws {
        let harness = try QueueHarness(features: [.version1, .eventIndex])
        var index: UInt16 = 0
        for round in 0..<70_000 {
            // Ask to be told of every third chain only.
            let wished = round % 3 == 0
            harness.driver.usedEvent = wished ? index : index &+ 5
            harness.queue.push(head: 0, written: 0)
            guard harness.queue.shouldNotifyDriver() == wished else {
                Issue.record("wrong at \(round)")
                return
            }
            index &+= 1
        }
    }

    @Test("with event indices an event inside a batch is enough, one before or behind it is not", arguments: [
        (0, true), (1, true), (2, true), (3, false), (.max, false), (100, false),
    ] as [(UInt16, Bool)])
    func batch(event: UInt16, isTold: Bool) throws {
        let harness = try QueueHarness(features: [.version1, .eventIndex])
        harness.driver.usedEvent = event
        for _ in 0..<3 { harness.queue.push(head: 0, written: 0) }
        #expect(harness.queue.shouldNotifyDriver() == isTold)
    }

    @Test("with event indices the driver's flag means nothing, and nothing new means no interrupt")
    func eventIndexFlags() throws {
        let harness = try QueueHarness(features: [.version1, .eventIndex])
        harness.driver.availableFlags = 1
        harness.queue.push(head: 0, written: 0)
        #expect(harness.queue.shouldNotifyDriver())
        #expect(!harness.queue.shouldNotifyDriver())
    }

    @Test("with event indices kicks are asked for at the next chain, across the wrap too")
    func availableEvent() throws {
        let harness = try QueueHarness(features: [.version1, .eventIndex])
        for round in 0..<65_600 {
            try harness.driver.makeAvailable(0)
            _ = try harness.queue.next(harness.chain)
            guard !harness.queue.enableKicks(),
                harness.driver.availableEvent == UInt16(truncatingIfNeeded: round + 1) else {
                Issue.record("wrong at \(round)")
                return
            }
        }
        #expect(harness.driver.usedFlags == 0)
    }
}
