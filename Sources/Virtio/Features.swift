/// Feature bits that belong to no device type (virtio 1.2, section 6).
public struct FeatureBits: OptionSet, Sendable, Equatable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// VIRTIO_F_INDIRECT_DESC
    public static let indirectDescriptors = FeatureBits(rawValue: 1 << 28)
    /// VIRTIO_F_EVENT_IDX
    public static let eventIndex = FeatureBits(rawValue: 1 << 29)
    /// VIRTIO_F_VERSION_1
    public static let version1 = FeatureBits(rawValue: 1 << 32)

    /// What the transport and the queues offer for every device.
    public static let transport: FeatureBits = [.indirectDescriptors, .eventIndex, .version1]
}

/// Device status bits (virtio 1.2, section 2.1).
public struct DeviceStatus: OptionSet, Sendable, Equatable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let acknowledge = DeviceStatus(rawValue: 1)
    public static let driver = DeviceStatus(rawValue: 2)
    public static let driverOK = DeviceStatus(rawValue: 4)
    public static let featuresOK = DeviceStatus(rawValue: 8)
    public static let needsReset = DeviceStatus(rawValue: 64)
    public static let failed = DeviceStatus(rawValue: 128)
}

/// Device types (virtio 1.2, section 5).
public enum DeviceType: UInt32, Sendable {
    case network = 1
    case block = 2
    case console = 3
    case entropy = 4
    case balloon = 5
    case nineP = 9
    case socket = 19
}
