import GuestMemory
import LinuxSystem
import TestSupport
import Testing
import Virtio

@Suite("virtio-mmio registers")
struct TransportTests {
    private let memory: GuestMemory
    private let rings: MockDriver

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 20)))
        rings = MockDriver(memory: memory, size: 8)
    }

    private func driver(_ device: TestDevice) throws -> TransportDriver { try TransportDriver(device, memory: memory) }

    @Test("the fixed registers say what and who")
    func identity() throws {
        let driver = try driver(TestDevice())
        #expect(driver[MMIO.magicValue] == 0x7472_6976)
        #expect(driver[MMIO.version] == 2)
        #expect(driver[MMIO.deviceID] == 4)
        #expect(driver[MMIO.vendorID] != 0)
        #expect(driver[MMIO.configGeneration] == 0)
        for register in stride(from: MMIO.shmLenLow, through: MMIO.shmBaseHigh, by: 4) {
            #expect(driver[register] == .max)
        }
    }

    @Test("registers that only the driver writes read as zero")
    func writeOnly() throws {
        let driver = try driver(TestDevice())
        let registers = [
            MMIO.deviceFeaturesSel, MMIO.driverFeatures, MMIO.driverFeaturesSel, MMIO.queueSel, MMIO.queueNum,
            MMIO.queueNotify, MMIO.interruptACK, MMIO.queueDescLow, MMIO.queueDescHigh, MMIO.queueDriverLow,
            MMIO.queueDriverHigh, MMIO.queueDeviceLow, MMIO.queueDeviceHigh,
        ]
        for register in registers {
            driver[register] = 0
            #expect(driver[register] == 0)
        }
    }

    @Test("read-only registers keep their values")
    func readOnly() throws {
        let driver = try driver(TestDevice())
        let registers = [
            MMIO.magicValue, MMIO.version, MMIO.deviceID, MMIO.vendorID, MMIO.deviceFeatures, MMIO.queueNumMax,
            MMIO.interruptStatus, MMIO.configGeneration,
        ]
        for register in registers {
            let before = driver[register]
            driver[register] = 0xFFFF_FFFF
            #expect(driver[register] == before)
        }
    }

    @Test("features are offered in two words, and none beyond")
    func features() throws {
        let driver = try driver(TestDevice(features: 0x21))
        #expect(driver.offeredFeatures == 0x21 | MMIO.version1 | MMIO.eventIndex | MMIO.indirect)
        for selector in [2, 3, 31, 0x8000_0000, .max] as [UInt32] {
            driver[MMIO.deviceFeaturesSel] = selector
            #expect(driver[MMIO.deviceFeatures] == 0)
        }
    }

    @Test("FEATURES_OK is refused without VERSION_1 and for a feature that is not offered", arguments: [
        (MMIO.version1, true), (MMIO.version1 | 1, true), (MMIO.version1 | MMIO.eventIndex | MMIO.indirect, true),
        (0, false), (1, false), (MMIO.version1 | 2, false), (MMIO.version1 | 1 << 63, false), (.max, false),
    ] as [(UInt64, Bool)])
    func featuresOK(features: UInt64, isAccepted: Bool) throws {
        let driver = try driver(TestDevice(features: 1))
        #expect(driver.negotiate(features) == isAccepted)
    }

    @Test("driver features of words that do not exist are lost")
    func driverFeatureWords() throws {
        let device = TestDevice()
        let driver = try driver(device)
        driver.status = MMIO.acknowledge
        driver.status = MMIO.acknowledge | MMIO.driver
        driver.setFeatures(MMIO.version1)
        for selector in [2, 3, 64, .max] as [UInt32] {
            driver[MMIO.driverFeaturesSel] = selector
            driver[MMIO.driverFeatures] = .max
        }
        driver.status = MMIO.acknowledge | MMIO.driver | MMIO.featuresOK
        driver.driverOK()
        #expect(device.log.withLock { $0.features } == MMIO.version1)
    }

    @Test("features are locked from FEATURES_OK on")
    func lockedFeatures() throws {
        let device = TestDevice()
        let driver = try driver(device)
        driver.negotiate(MMIO.version1)
        driver.setFeatures(MMIO.version1 | MMIO.indirect)
        driver.driverOK()
        #expect(device.log.withLock { $0.features } == MMIO.version1)
    }

    @Test("accesses of a width other than 4 bytes read zero and change nothing", arguments: [0, 1, 2, 3, 8])
    func widths(size: Int) throws {
        let driver = try driver(TestDevice())
        for offset in 0..<0x100 as Range<UInt64> {
            #expect(driver.transport.read(offset: offset, size: size) == 0)
            driver.transport.write(offset: offset, size: size, value: 1)
        }
        #expect(driver.status == 0)
    }

    @Test("registers that do not exist read zero and take anything")
    func holes() throws {
        let driver = try driver(TestDevice())
        let holes: [UInt64] = [0x018, 0x01C, 0x028, 0x02C, 0x03C, 0x040, 0x048, 0x054, 0x068, 0x074, 0x088, 0x0F8]
        for offset in holes + [1, 2, 0x71] {
            driver[offset] = .max
            #expect(driver[offset] == 0)
        }
        #expect(driver.status == 0)
    }

    @Test("configuration space ends where the device's does, at every offset and width (kvmtool's CVE-2021-45464)")
    func configuration() throws {
        let bytes = (1...13).map { UInt8($0) }
        let driver = try driver(TestDevice(configuration: bytes))
        for offset in 0..<20 {
            for size in [1, 2, 4, 8] {
                let expected = offset + size <= bytes.count
                    ? (0..<size).reduce(0 as UInt64) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) } : 0
                let found = driver.transport.read(offset: MMIO.configuration + UInt64(offset), size: size)
                #expect(found == expected, "\(size) bytes at \(offset)")
            }
        }
        for offset in [0xF00, 0xEFF, UInt64.max - 0x100, UInt64.max - 0x107, 1 << 63] as [UInt64] {
            #expect(driver.transport.read(offset: MMIO.configuration &+ offset, size: 8) == 0)
        }
    }

    @Test("writes into configuration space reach the device, once there is a driver, and only inside of it")
    func configurationWrites() throws {
        let device = TestDevice(configuration: [1, 2, 3, 4])
        let driver = try driver(device)
        driver.transport.write(offset: MMIO.configuration, size: 1, value: 9)
        #expect(device.configuration == [1, 2, 3, 4])
        driver.negotiate(MMIO.version1)
        driver.transport.write(offset: MMIO.configuration + 1, size: 2, value: 0x0908)
        #expect(device.configuration == [1, 8, 9, 4])
        for (offset, size) in [(0, 8), (3, 2), (4, 1), (UInt64.max - 0x100, 8), (5, 4)] as [(UInt64, Int)] {
            driver.transport.write(offset: MMIO.configuration &+ offset, size: size, value: .max)
        }
        driver.transport.write(offset: .max, size: 8, value: .max)
        #expect(device.configuration == [1, 8, 9, 4])
    }

    @Test("the generation changes with the configuration, also in the middle of a read in parts, and survives a reset")
    func configurationGeneration() throws {
        let device = TestDevice(configuration: [1, 0, 0, 0, 1, 0, 0, 0])
        let driver = try driver(device)
        let before = driver[MMIO.configGeneration]
        #expect(driver[MMIO.configuration] == 1)
        device.configuration = [2, 0, 0, 0, 2, 0, 0, 0]
        #expect(driver[MMIO.configuration + 4] == 2)
        let after = driver[MMIO.configGeneration]
        #expect(after != before)
        driver.status = 0
        #expect(driver[MMIO.configGeneration] == after)
    }

    @Test("a configuration change raises the interrupt, and nothing is failed")
    func configurationInterrupt() throws {
        let device = TestDevice(configuration: [1])
        let driver = try driver(device)
        driver.negotiate(MMIO.version1)
        driver.driverOK()
        device.log.withLock { $0.interrupt }?.notifyConfigurationChange()
        #expect(driver[MMIO.interruptStatus] == 2)
        #expect(driver.status & MMIO.needsReset == 0)
    }
}
