import GuestMemory
import TestSupport
import Testing
import Virtio

@Suite("Device status")
struct StatusTests {
    private let memory: GuestMemory
    private let device = TestDevice()
    private let driver: TransportDriver

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 20)))
        driver = try TransportDriver(device, memory: memory)
    }

    private static let steps = [MMIO.acknowledge, MMIO.driver, MMIO.featuresOK, MMIO.driverOK]

    /// Every order of the four steps.
    private static func orders(_ steps: [UInt32]) -> [[UInt32]] {
        if steps.isEmpty { return [[]] }
        return steps.flatMap { first in orders(steps.filter { $0 != first }).map { [first] + $0 } }
    }

    @Test("a bit counts only once those before it are set, in every order of setting them")
    func orders() {
        for order in Self.orders(Self.steps) {
            driver.status = 0
            var written: UInt32 = 0
            // The model: bits written so far that follow without a gap, features being accepted as soon as they can be.
            for bit in order {
                written |= bit
                driver.status = driver.status | bit
                driver.setFeatures(MMIO.version1)
            }
            // Each step was offered once: what came too early is lost.
            var expected: UInt32 = 0
            for bit in order where Self.steps.prefix(while: { $0 != bit }).allSatisfy({ expected & $0 != 0 }) {
                expected |= bit
            }
            #expect(driver.status == expected, "\(order)")
        }
    }

    @Test("a bit taken back without a reset is ignored")
    func takenBack() {
        driver.negotiate(MMIO.version1)
        driver.driverOK()
        let all = MMIO.acknowledge | MMIO.driver | MMIO.featuresOK | MMIO.driverOK
        for bit in Self.steps {
            driver.status = all & ~bit
            #expect(driver.status == all)
        }
        #expect(device.activations == 1)
        #expect(device.resets == 0)
    }

    @Test("bits that mean nothing are not kept", arguments: [16, 32, 64, 0x100, 0xFFFF_FF00] as [UInt32])
    func unknownBits(bits: UInt32) {
        driver.status = bits
        #expect(driver.status == 0)
        driver.status = bits | MMIO.acknowledge
        #expect(driver.status == MMIO.acknowledge)
    }

    @Test("FAILED is kept until the reset", arguments: 0..<4)
    func failed(after count: Int) {
        for bit in Self.steps.prefix(count) { driver.status = driver.status | bit }
        driver.status = driver.status | MMIO.failed
        #expect(driver.status & MMIO.failed != 0)
        driver.status = 0
        #expect(driver.status == 0)
    }

    @Test("DRIVER_OK activates the device once, however often it is written")
    func once() {
        driver.negotiate(MMIO.version1)
        for _ in 0..<5 { driver.driverOK() }
        #expect(device.activations == 1)
    }

    @Test("a reset reaches the device when it is active, and only then")
    func reset() {
        driver.status = 0
        driver.negotiate(MMIO.version1)
        driver.status = 0
        #expect(device.resets == 0)
        driver.negotiate(MMIO.version1)
        driver.driverOK()
        driver.status = 0
        driver.status = 0
        #expect(device.resets == 1)
        #expect(device.activations == 1)
        driver.negotiate(MMIO.version1)
        driver.driverOK()
        driver.transport.reset()
        #expect(driver.status == 0)
        #expect(device.resets == 2)
        #expect(device.activations == 2)
    }

    @Test("a reset forgets features, selectors and queues")
    func forgets() throws {
        let rings = MockDriver(memory: memory, size: 4)
        driver.negotiate(MMIO.version1 | MMIO.indirect)
        driver.configure(0, rings)
        driver[MMIO.deviceFeaturesSel] = 1
        driver[MMIO.queueSel] = 7
        driver.status = 0
        #expect(driver[MMIO.queueNumMax] == 8)
        #expect(driver[MMIO.queueReady] == 0)
        #expect(driver[MMIO.deviceFeatures] == UInt32(MMIO.indirect | MMIO.eventIndex))
        driver.status = MMIO.acknowledge
        driver.status = MMIO.acknowledge | MMIO.driver
        driver.status = MMIO.acknowledge | MMIO.driver | MMIO.featuresOK
        #expect(driver.status & MMIO.featuresOK == 0, "the features of before the reset must not be taken")
    }
}
