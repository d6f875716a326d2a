import GuestMemory
import LinuxSystem
import TestSupport
import Testing
import Virtio

@Suite("Device interrupts")
struct InterruptTests {
    private let memory: GuestMemory
    private let rings: MockDriver

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 20)))
        rings = MockDriver(memory: memory, size: 8)
    }

    @Test("a used buffer sets its bit, raises the line, and the driver takes the bit back")
    func usedBuffer() throws {
        let loop = try LoopThread()
        let driver = try TransportDriver(TestDevice(loop: loop.loop), memory: memory)
        try driver.start(rings)
        #expect(driver[MMIO.interruptStatus] == 0)
        try rings.add([.writable(0x10_0000, 1)])
        driver.kick()
        try driver.line.wait("the interrupt")
        #expect(rings.usedIndex == 1)
        #expect(driver[MMIO.interruptStatus] == 1)
        driver[MMIO.interruptACK] = 2
        #expect(driver[MMIO.interruptStatus] == 1)
        driver[MMIO.interruptACK] = 1
        #expect(driver[MMIO.interruptStatus] == 0)
    }

    @Test("kicks before DRIVER_OK and stale ones from before a reset reach no queue")
    func kicks() throws {
        let driver = try TransportDriver(TestDevice(), memory: memory)
        driver.kick()
        #expect(!driver.transport.kicks[0].take())
        driver.negotiate(MMIO.version1)
        driver.driverOK()
        driver.kick()
        driver.kick(1)
        driver.kick(.max)
        #expect(driver.transport.kicks[0].take())
        driver.kick()
        driver.status = 0
        #expect(!driver.transport.kicks[0].take())
    }

    @Test("a reset takes the interrupt bits back")
    func reset() throws {
        let loop = try LoopThread()
        let driver = try TransportDriver(TestDevice(loop: loop.loop), memory: memory)
        try driver.start(rings)
        try rings.add([.writable(0x10_0000, 1)])
        driver.kick()
        try driver.wait(for: rings, used: 1)
        driver.status = 0
        #expect(driver[MMIO.interruptStatus] == 0)
    }
}
