import GuestMemory
import LinuxSystem
import Virtio

/// Offsets of the virtio-mmio registers, from the table of virtio 1.2, 4.2.2.
public enum MMIO {
    public static let magicValue: UInt64 = 0x000, version: UInt64 = 0x004, deviceID: UInt64 = 0x008
    public static let vendorID: UInt64 = 0x00C, deviceFeatures: UInt64 = 0x010, deviceFeaturesSel: UInt64 = 0x014
    public static let driverFeatures: UInt64 = 0x020, driverFeaturesSel: UInt64 = 0x024
    public static let queueSel: UInt64 = 0x030, queueNumMax: UInt64 = 0x034, queueNum: UInt64 = 0x038
    public static let queueReady: UInt64 = 0x044, queueNotify: UInt64 = 0x050
    public static let interruptStatus: UInt64 = 0x060, interruptACK: UInt64 = 0x064, status: UInt64 = 0x070
    public static let queueDescLow: UInt64 = 0x080, queueDescHigh: UInt64 = 0x084
    public static let queueDriverLow: UInt64 = 0x090, queueDriverHigh: UInt64 = 0x094
    public static let queueDeviceLow: UInt64 = 0x0A0, queueDeviceHigh: UInt64 = 0x0A4
    public static let shmLenLow: UInt64 = 0x0B0, shmBaseHigh: UInt64 = 0x0BC
    public static let configGeneration: UInt64 = 0x0FC, configuration: UInt64 = 0x100

    // Device status bits (virtio 1.2, section 2.1).
    public static let acknowledge: UInt32 = 1, driver: UInt32 = 2, driverOK: UInt32 = 4, featuresOK: UInt32 = 8
    public static let needsReset: UInt32 = 64, failed: UInt32 = 128

    public static let version1: UInt64 = 1 << 32, eventIndex: UInt64 = 1 << 29, indirect: UInt64 = 1 << 28
}

/// A driver of a device behind virtio-mmio registers.
public final class TransportDriver {
    public let transport: MMIOTransport
    /// The device's interrupt.
    public let line: EventNotifier

    public init(_ device: any VirtioDevice, memory: GuestMemory) throws {
        line = try EventNotifier()
        transport = try MMIOTransport(device: device, memory: memory, interruptLine: line)
    }

    public subscript(_ offset: UInt64) -> UInt32 {
        get { UInt32(truncatingIfNeeded: transport.read(offset: offset, size: 4)) }
        set { transport.write(offset: offset, size: 4, value: UInt64(newValue)) }
    }

    public var status: UInt32 {
        get { self[MMIO.status] }
        set { self[MMIO.status] = newValue }
    }

    public var offeredFeatures: UInt64 {
        self[MMIO.deviceFeaturesSel] = 0
        let low = self[MMIO.deviceFeatures]
        self[MMIO.deviceFeaturesSel] = 1
        return UInt64(self[MMIO.deviceFeatures]) << 32 | UInt64(low)
    }

    /// Up to and with FEATURES_OK; false when the device does not take the features.
    @discardableResult
    public func negotiate(_ features: UInt64) -> Bool {
        status = 0
        status = MMIO.acknowledge
        status = MMIO.acknowledge | MMIO.driver
        setFeatures(features)
        status = MMIO.acknowledge | MMIO.driver | MMIO.featuresOK
        return status & MMIO.featuresOK != 0
    }

    public func setFeatures(_ features: UInt64) {
        for word in 0..<2 as Range<UInt32> {
            self[MMIO.driverFeaturesSel] = word
            self[MMIO.driverFeatures] = UInt32(truncatingIfNeeded: features >> UInt64(32 * word))
        }
    }

    /// Writes a queue's registers.
    public func configure(_ queue: UInt32, _ rings: MockDriver, ready: Bool = true) {
        self[MMIO.queueSel] = queue
        self[MMIO.queueNum] = UInt32(rings.size)
        setAddress(MMIO.queueDescLow, rings.descriptorTable)
        setAddress(MMIO.queueDriverLow, rings.availableRing)
        setAddress(MMIO.queueDeviceLow, rings.usedRing)
        if ready { self[MMIO.queueReady] = 1 }
    }

    /// Writes a pair of registers, the lower half first.
    public func setAddress(_ register: UInt64, _ address: GuestAddress) {
        self[register] = UInt32(truncatingIfNeeded: address)
        self[register + 4] = UInt32(truncatingIfNeeded: address >> 32)
    }

    public func driverOK() {
        status = status | MMIO.driverOK
    }

    /// All of a driver's initialisation, with one queue.
    public func start(_ rings: MockDriver, features: UInt64 = MMIO.version1) throws {
        try rings.reset()
        guard negotiate(features) else { throw TimeoutError(what: "FEATURES_OK") }
        configure(0, rings)
        driverOK()
    }

    public func kick(_ queue: UInt32 = 0) {
        self[MMIO.queueNotify] = queue
    }

    /// Waits until the device has used as many chains in all.
    public func wait(for rings: MockDriver, used count: UInt16) throws {
        while rings.usedIndex != count {
            try line.wait("used chain \(count) of which \(rings.usedIndex) came, status \(status)")
        }
    }

    /// Waits until the device asks to be reset.
    public func waitForNeedsReset() throws {
        while status & MMIO.needsReset == 0 { try line.wait("DEVICE_NEEDS_RESET, status \(status)") }
    }
}
