import GuestMemory
import TestSupport
import Testing
import Virtio

@Suite("Queue registers")
struct QueueRegisterTests {
    private let memory: GuestMemory
    private let rings: MockDriver
    private let device = TestDevice(queueSizes: [8, 256])
    private let driver: TransportDriver

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 20)))
        rings = MockDriver(memory: memory, size: 8)
        driver = try TransportDriver(device, memory: memory)
    }

    @Test("each queue has its own maximum; a queue that does not exist has none",
          arguments: [(0, 8), (1, 256), (2, 0), (3, 0), (0x8000_0000, 0), (.max, 0)] as [(UInt32, UInt32)])
    func maximum(queue: UInt32, size: UInt32) {
        driver[MMIO.queueSel] = queue
        #expect(driver[MMIO.queueNumMax] == size)
    }

    @Test("a selector out of range selects nothing", arguments: [2, 3, 255, 65536, 0x8000_0000, .max] as [UInt32])
    func selector(queue: UInt32) {
        driver.negotiate(MMIO.version1)
        driver.configure(queue, rings)
        #expect(driver[MMIO.queueReady] == 0)
        driver.kick(queue)
        driver.driverOK()
        driver.kick(queue)
        #expect(device.log.withLock { $0.queueSizes } == [nil, nil])
        #expect(driver.status & MMIO.needsReset == 0)
    }

    @Test("queues that were set up are handed over, the others are not")
    func handedOver() {
        driver.negotiate(MMIO.version1)
        driver.configure(1, rings)
        driver.driverOK()
        #expect(device.log.withLock { $0.queueSizes } == [nil, 8])
    }

    @Test("QueueReady can be taken back before DRIVER_OK")
    func takenBack() {
        driver.negotiate(MMIO.version1)
        driver.configure(0, rings)
        #expect(driver[MMIO.queueReady] == 1)
        driver[MMIO.queueReady] = 0
        #expect(driver[MMIO.queueReady] == 0)
        driver.driverOK()
        #expect(device.log.withLock { $0.queueSizes } == [nil, nil])
    }

    @Test("queue registers mean nothing before FEATURES_OK")
    func early() {
        driver.status = 0
        driver.configure(0, rings)
        #expect(driver[MMIO.queueReady] == 0)
        driver.status = MMIO.acknowledge
        driver.status = MMIO.acknowledge | MMIO.driver
        driver.configure(0, rings)
        #expect(driver[MMIO.queueReady] == 0)
    }

    @Test("the registers of a ready queue stay as they are")
    func readyQueue() {
        driver.negotiate(MMIO.version1)
        driver.configure(0, rings)
        driver[MMIO.queueNum] = 3
        driver.setAddress(MMIO.queueDescLow, .max)
        driver.setAddress(MMIO.queueDriverLow, .max)
        driver.setAddress(MMIO.queueDeviceLow, .max)
        driver.driverOK()
        #expect(driver.status & MMIO.needsReset == 0)
        #expect(device.log.withLock { $0.queueSizes } == [8, nil])
    }

    @Test("queue registers written after DRIVER_OK change nothing (Firecracker's CVE-2026-5747)")
    func afterDriverOK() throws {
        let loop = try LoopThread()
        let device = TestDevice(queueSizes: [8, 8], loop: loop.loop)
        let driver = try TransportDriver(device, memory: memory)
        try driver.start(rings)
        driver[MMIO.queueReady] = 0
        #expect(driver[MMIO.queueReady] == 1)
        let elsewhere = MockDriver(memory: memory, size: 4, base: 0x10_0000)
        driver.configure(0, elsewhere)
        driver.configure(1, elsewhere)
        #expect(driver[MMIO.queueReady] == 0)
        driver[MMIO.queueSel] = 0
        driver[MMIO.queueNum] = 0
        try rings.add([.writable(0x20_0000, 16)])
        driver.kick()
        try driver.wait(for: rings, used: 1)
        #expect(rings.used(0) == (0, 16))
        #expect(elsewhere.usedIndex == 0)
    }

    @Test("a ready queue with a bad size makes the device ask for a reset at DRIVER_OK",
          arguments: [0, 3, 9, 16, 255, 65536, 65544, 0x8000_0000, .max] as [UInt32])
    func badSize(size: UInt32) throws {
        driver.negotiate(MMIO.version1)
        driver.configure(0, rings, ready: false)
        driver[MMIO.queueNum] = size
        driver[MMIO.queueReady] = 1
        try expectFailure()
    }

    @Test("a ready queue with a ring that is misaligned or not in RAM makes the device ask for a reset at DRIVER_OK",
          arguments: [MMIO.queueDescLow, MMIO.queueDriverLow, MMIO.queueDeviceLow],
          [1, 0x40_0000, 0x3F_FFFE, 0xFFFF_FFF0, 0x1_0000_0000, 0xFFFF_FFFF_FFFF_FFF0, .max] as [GuestAddress])
    func badRing(register: UInt64, address: GuestAddress) throws {
        driver.negotiate(MMIO.version1)
        driver.configure(0, rings, ready: false)
        driver.setAddress(register, address)
        driver[MMIO.queueReady] = 1
        try expectFailure()
    }

    /// DRIVER_OK must fail, and the device must work after a reset.
    private func expectFailure() throws {
        driver.driverOK()
        #expect(driver.status & MMIO.needsReset != 0)
        #expect(driver[MMIO.interruptStatus] & 2 != 0, "a configuration change interrupt tells of it")
        try driver.line.wait("the interrupt")
        driver.kick()
        #expect(device.activations == 0)
        try driver.start(rings)
        #expect(driver.status & MMIO.needsReset == 0)
        #expect(device.activations == 1)
        #expect(device.resets == 0)
    }
}
