/// What a section of a snapshot holds. Numbers are part of the format and never given twice.
public struct SectionKind: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The machine's description, as `MachineProtocol` encodes it.
    public static let description = SectionKind(rawValue: 1)
    /// What the host was: kernel, processor, features.
    public static let host = SectionKind(rawValue: 2)
    /// The board's part in the kernel: interrupt controllers, timer, clock.
    public static let platform = SectionKind(rawValue: 3)
    /// One virtual processor; they come in their order.
    public static let processor = SectionKind(rawValue: 4)
    /// One virtio transport's registers and queues; they come in the order of their windows.
    public static let transport = SectionKind(rawValue: 5)
    /// One virtio device; they come in the order of their transports.
    public static let device = SectionKind(rawValue: 6)
    /// Power management registers.
    public static let power = SectionKind(rawValue: 7)
    /// The real-time clock.
    public static let clock = SectionKind(rawValue: 8)
    /// The serial port.
    public static let serial = SectionKind(rawValue: 9)
    /// The console's output that nobody has fetched.
    public static let console = SectionKind(rawValue: 10)
    /// Which pages a difference has: made and read here, and never among a snapshot's sections.
    static let pages = SectionKind(rawValue: 0x8000_0000)

    /// One or two words, for messages.
    public var name: String {
        switch self {
        case .description: "machine description"
        case .host: "host"
        case .platform: "platform"
        case .processor: "processor"
        case .transport: "transport"
        case .device: "device"
        case .power: "power"
        case .clock: "clock"
        case .serial: "serial port"
        case .console: "console"
        case .pages: "page map"
        default: "kind \(rawValue)"
        }
    }

    public var description: String { name }
}

/// A part of a snapshot's state, opaque here.
public struct SnapshotSection: Equatable, Sendable {
    public var kind: SectionKind
    /// At most `SnapshotContents.sectionLimit` bytes.
    public var bytes: [UInt8]

    public init(_ kind: SectionKind, _ bytes: [UInt8]) {
        self.kind = kind
        self.bytes = bytes
    }
}
