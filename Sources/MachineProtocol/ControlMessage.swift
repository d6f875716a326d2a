import Wire

/// What can be asked of a running machine through its control socket.
///
/// Each message is a 32-bit length, little-endian, and as many bytes: a version and the message. A client sends one request
/// after the other and reads one reply to each.
public enum ControlRequest: Equatable, Sendable {
    /// Adds a share to the device with a directory of shares that its tag names.
    case addShare(ShareDescription)
    case removeShare(tag: String, name: String)
    case listShares
    /// Where the guest's sockets are.
    case vsock
    /// Gives a disk, counted from 0, another size in bytes.
    case resizeDisk(index: UInt32, size: UInt64)
    /// Gives a placeholder its disk: path, readOnly, creationSize and cache count, the rest was settled at the start.
    case attachDisk(index: UInt32, DiskDescription)
    /// How much memory the guest is to keep, in bytes; the balloon takes the rest.
    case setMemory(UInt64)
    case statistics
    /// Has the guest stand still.
    case pause
    case resume
    /// Saves the machine into a directory that is made; `base` is the snapshot that it came from, of which only the difference is saved.
    /// The answer comes when that is done. With `stops` the machine ends then.
    case snapshot(directory: String, base: String?, stops: Bool)
    /// Pulls the cable of a network interface, counted from 0, or puts it in.
    case setLink(interface: Int, up: Bool)
}

/// An answer to a `ControlRequest`.
public enum ControlReply: Equatable, Sendable {
    case done
    /// One line for the user.
    case failed(String)
    case shares([ShareDescription])
    case vsock(VsockEndpoint)
    case statistics(MachineStatistics)
}

/// How messages of a control socket are framed.
public enum ControlFrame {
    /// Bytes of a message, its length not counted.
    public static let maximumSize = 1 << 20
    public static let headerSize = 4

    /// The length and the message.
    static func encode(_ body: (inout WireEncoder) -> Void) -> [UInt8] {
        var message = WireEncoder()
        message.encode(version)
        body(&message)
        var frame = WireEncoder()
        frame.encode(UInt32(message.bytes.count))
        return frame.bytes + message.bytes
    }

    /// A message without its length.
    static func decode<Message>(
        _ bytes: [UInt8], _ body: (inout WireDecoder) throws(WireError) -> Message
    ) throws(WireError) -> Message {
        var decoder = WireDecoder(bytes)
        let found = try decoder.decode(UInt32.self)
        guard found == version else { throw .invalidValue(offset: 0, found: UInt64(found)) }
        let message = try body(&decoder)
        try decoder.finish()
        return message
    }

    /// The length that a header announces; nil when it is none that a message may have.
    public static func size(_ header: some Collection<UInt8>) -> Int? {
        guard header.count == headerSize else { return nil }
        let size = header.reversed().reduce(0 as Int) { $0 << 8 | Int($1) }
        return (1...maximumSize).contains(size) ? size : nil
    }

    private static let version: UInt32 = 1
}

extension ControlRequest {
    /// With the length before it.
    public var frame: [UInt8] {
        ControlFrame.encode { encoder in
            switch self {
            case .addShare(let share):
                encoder.encode(1 as UInt8)
                share.encode(&encoder)
            case .removeShare(let tag, let name):
                encoder.encode(2 as UInt8)
                encoder.encode(tag)
                encoder.encode(name)
            case .listShares: encoder.encode(3 as UInt8)
            case .vsock: encoder.encode(4 as UInt8)
            case .resizeDisk(let index, let size):
                encoder.encode(8 as UInt8)
                encoder.encode(index)
                encoder.encode(size)
            case .attachDisk(let index, let disk):
                encoder.encode(9 as UInt8)
                encoder.encode(index)
                disk.encode(&encoder)
            case .setMemory(let bytes):
                encoder.encode(20 as UInt8)
                encoder.encode(bytes)
            case .statistics: encoder.encode(21 as UInt8)
            case .pause: encoder.encode(24 as UInt8)
            case .resume: encoder.encode(25 as UInt8)
            case .snapshot(let directory, let base, let stops):
                encoder.encode(26 as UInt8)
                encoder.encode(directory)
                encoder.encode(base) { $0.encode($1) }
                encoder.encode(stops)
            case .setLink(let interface, let up):
                encoder.encode(16 as UInt8)
                encoder.encode(UInt32(clamping: interface))
                encoder.encode(up)
            }
        }
    }

    /// Without the length.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        self = try ControlFrame.decode(bytes) { (decoder) throws(WireError) in
            let offset = decoder.offset
            switch try decoder.decode(UInt8.self) {
            case 1: return .addShare(try ShareDescription(&decoder))
            case 2:
                return .removeShare(tag: try decoder.decodeString(limit: ShareDescription.tagLengths.upperBound),
                                    name: try decoder.decodeString(limit: ShareDescription.tagLengths.upperBound))
            case 3: return .listShares
            case 4: return .vsock
            case 8: return .resizeDisk(index: try decoder.decode(UInt32.self), size: try decoder.decode(UInt64.self))
            case 9: return .attachDisk(index: try decoder.decode(UInt32.self), try DiskDescription(&decoder))
            case 20: return .setMemory(try decoder.decode(UInt64.self))
            case 21: return .statistics
            case 24: return .pause
            case 25: return .resume
            case 26:
                return .snapshot(directory: try decoder.decodeText(), base: try decoder.decodeOptionalText(),
                                 stops: try decoder.decode(Bool.self))
            case 16: return .setLink(interface: Int(try decoder.decode(UInt32.self)), up: try decoder.decode(Bool.self))
            case let other: throw .invalidValue(offset: offset, found: UInt64(other))
            }
        }
    }
}

extension ControlReply {
    /// With the length before it.
    public var frame: [UInt8] {
        ControlFrame.encode { encoder in
            switch self {
            case .done: encoder.encode(1 as UInt8)
            case .failed(let reason):
                encoder.encode(2 as UInt8)
                encoder.encode(reason)
            case .shares(let shares):
                encoder.encode(3 as UInt8)
                encoder.encode(shares) { $1.encode(&$0) }
            case .vsock(.unixSocket(let path)):
                encoder.encode(4 as UInt8)
                encoder.encode(path)
            case .vsock(.contextID(let id)):
                encoder.encode(5 as UInt8)
                encoder.encode(id)
            case .statistics(let statistics):
                encoder.encode(20 as UInt8)
                statistics.encode(&encoder)
            }
        }
    }

    /// Without the length.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        self = try ControlFrame.decode(bytes) { (decoder) throws(WireError) in
            let offset = decoder.offset
            switch try decoder.decode(UInt8.self) {
            case 1: return .done
            case 2: return .failed(try decoder.decodeText())
            case 3:
                return .shares(try decoder.decodeArray(limit: ControlFrame.maximumSize) { (decoder) throws(WireError) in
                    try ShareDescription(&decoder)
                })
            case 4: return .vsock(.unixSocket(try decoder.decodeText()))
            case 5: return .vsock(.contextID(try decoder.decode(UInt32.self)))
            case 20: return .statistics(try MachineStatistics(&decoder))
            case let other: throw .invalidValue(offset: offset, found: UInt64(other))
            }
        }
    }
}
