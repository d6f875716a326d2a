import GuestMemory

/// What the driver has written so far: all of it forgotten at a reset.
struct TransportState {
    var status: DeviceStatus = []
    var deviceFeaturesSelector: UInt32 = 0
    var driverFeaturesSelector: UInt32 = 0
    var driverFeatures: UInt64 = 0
    var queueSelector: UInt32 = 0
    var queues: [QueueConfiguration]
    /// The configuration space as the driver last saw it, and how often it has changed since power-on.
    var configuration: [UInt8]
    var configurationGeneration: UInt32 = 0
    /// The queues of a device that has been activated and must be told of a reset. They are the device's own.
    var active: [Virtqueue?]?
    var isActive: Bool { active != nil }

    init(queueSizes: [UInt16], configuration: [UInt8]) {
        queues = queueSizes.map { QueueConfiguration(maximumSize: $0) }
        self.configuration = configuration
    }

    /// As after power-on, but for the generation of the configuration, which only ever grows.
    mutating func reset() {
        let generation = configurationGeneration
        self = TransportState(queueSizes: queues.map(\.maximumSize), configuration: configuration)
        configurationGeneration = generation
    }

    /// Before every answer about the configuration, so that a driver that reads a field in parts, and the generation before
    /// and after, finds out when the parts do not belong together (virtio 1.2, 2.5.2).
    mutating func noteConfiguration(_ current: [UInt8]) {
        guard current != configuration else { return }
        configuration = current
        configurationGeneration &+= 1
    }

    var selectedQueue: QueueConfiguration? {
        queueSelector < queues.count ? queues[Int(queueSelector)] : nil
    }

    mutating func writeDriverFeatures(_ value: UInt32) {
        // After FEATURES_OK the features stand (virtio 1.2, 2.2.1).
        guard status.contains(.driver), !status.contains(.featuresOK), driverFeaturesSelector < 2 else { return }
        let shift = UInt64(32 * driverFeaturesSelector)
        driverFeatures = driverFeatures & ~(0xFFFF_FFFF << shift) | UInt64(value) << shift
    }

    mutating func writeQueueRegister(_ offset: UInt64, _ value: UInt32) {
        // Queues are set up between FEATURES_OK and DRIVER_OK (3.1.1) and never move afterwards.
        guard status.contains(.featuresOK), !status.contains(.driverOK), queueSelector < queues.count else { return }
        let index = Int(queueSelector)
        if offset == Register.queueReady {
            queues[index].isReady = value & 1 != 0
            return
        }
        // A ready queue's registers are not to be written (4.2.2.2).
        guard !queues[index].isReady else { return }
        switch offset {
        case Register.queueNum: queues[index].size = UInt16(exactly: value) ?? 0
        case Register.queueDescLow: Self.setLow(&queues[index].descriptorTable, value)
        case Register.queueDescHigh: Self.setHigh(&queues[index].descriptorTable, value)
        case Register.queueDriverLow: Self.setLow(&queues[index].availableRing, value)
        case Register.queueDriverHigh: Self.setHigh(&queues[index].availableRing, value)
        case Register.queueDeviceLow: Self.setLow(&queues[index].usedRing, value)
        case Register.queueDeviceHigh: Self.setHigh(&queues[index].usedRing, value)
        default: break
        }
    }

    private static func setLow(_ address: inout GuestAddress, _ value: UInt32) {
        address = address & ~0xFFFF_FFFF | UInt64(value)
    }

    private static func setHigh(_ address: inout GuestAddress, _ value: UInt32) {
        address = address & 0xFFFF_FFFF | UInt64(value) << 32
    }
}
