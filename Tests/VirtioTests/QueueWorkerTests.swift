import GuestMemory
import LinuxSystem
import Synchronization
import TestSupport
import Testing
import Virtio

@Suite("Queue worker")
struct QueueWorkerTests {
    private let memory: GuestMemory
    private let rings: MockDriver
    private let loop: LoopThread
    private let driver: TransportDriver

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 30)))
        rings = MockDriver(memory: memory, size: 8)
        loop = try LoopThread()
        // A request of the length 13 is this device's idea of a bad one.
        let device = TestDevice(loop: loop.loop) { (chain) throws(QueueError) in
            if chain.writableCount == 13 { throw .request }
            return chain.writableCount
        }
        driver = try TransportDriver(device, memory: memory)
    }

    @Test("chains are served in order, and each is given back",
          arguments: [0, MMIO.eventIndex, MMIO.eventIndex | MMIO.indirect])
    func serves(features: UInt64) throws {
        try driver.start(rings, features: MMIO.version1 | features)
        for round in 0..<1000 as Range<UInt16> {
            rings.usedEvent = round
            try rings.add([.writable(0x10_0000, UInt32(round % 5 + 1))])
            driver.kick()
            try driver.wait(for: rings, used: round + 1)
            #expect(rings.used(round) == (UInt32(round % 8), UInt32(round % 5 + 1)))
        }
    }

    @Test("chains made available before DRIVER_OK are served without a kick")
    func early() throws {
        try rings.reset()
        driver.negotiate(MMIO.version1)
        driver.configure(0, rings)
        try rings.add([.writable(0x10_0000, 3)])
        driver.driverOK()
        try driver.wait(for: rings, used: 1)
    }

    @Test("a malformed chain stops the device, which asks for a reset, says so, and works after it",
          arguments: [0, 1, 2])
    func malformed(kind: Int) throws {
        for round in 0..<20 {
            try driver.start(rings)
            try rings.add([.writable(0x10_0000, 1)])
            switch kind {
            case 0: try rings.add([.writable(0xC000_0000, 1)])
            case 1: try rings.add([.writable(0x10_0000, 13)])
            default: rings.availableIndex = 20
            }
            driver.kick()
            try driver.waitForNeedsReset()
            #expect(driver[MMIO.interruptStatus] & 2 != 0, "round \(round)")
            let used = rings.usedIndex
            // What comes after it is not served: the device has stopped, and does not spin.
            if kind < 2 { try rings.add([.writable(0x10_0000, 1)]) }
            driver.kick()
            loop.loop.performAndWait {}
            #expect(rings.usedIndex == used)
            #expect(driver.transport.kicks[0].take(), "nobody listens to kicks any more")
        }
        try driver.start(rings)
        try rings.add([.writable(0x10_0000, 1)])
        driver.kick()
        try driver.wait(for: rings, used: 1)
        #expect(driver.status & MMIO.needsReset == 0)
    }

    @Test("a device reset while it has work to do touches no memory afterwards")
    func resetWithWork() throws {
        for _ in 0..<200 {
            try driver.start(rings)
            for _ in 0..<8 { try rings.add([.writable(0x10_0000, 1)]) }
            driver.kick()
            driver.status = 0
            try rings.reset()
            loop.loop.performAndWait {}
            #expect(rings.usedIndex == 0)
        }
    }

    @Test("a guest that never stops adding does not keep the loop from its other duties")
    func fairness() throws {
        let added = Atomic<Int>(0)
        let memory = memory
        let device = TestDevice(loop: loop.loop) { (chain) throws(QueueError) in
            // The guest adds the next chain while this one is served: the queue never runs dry.
            let index = UInt16(truncatingIfNeeded: added.add(1, ordering: .relaxed).newValue)
            (try? memory.slice(at: 0x1_0000 + 128, count: 4))?.storeRelease(index &+ 1, at: 2)
            return 0
        }
        let driver = try TransportDriver(device, memory: memory)
        try rings.reset()
        try rings.put(0, address: 0x10_0000, count: 1, flags: MockDriver.write)
        #expect(rings.availableRing == 0x1_0000 + 128)
        driver.negotiate(MMIO.version1)
        driver.configure(0, rings)
        rings.availableIndex = 1
        driver.driverOK()
        driver.kick()
        for _ in 0..<50 {
            let before = added.load(ordering: .relaxed)
            loop.loop.performAndWait {}  // comes back although there is always work
            loop.loop.performAndWait {}
            #expect(added.load(ordering: .relaxed) >= before)
        }
        driver.status = 0
        let end = added.load(ordering: .relaxed)
        loop.loop.performAndWait {}
        #expect(added.load(ordering: .relaxed) == end)
        #expect(end > 8)
    }
}
