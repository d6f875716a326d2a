import Wire

/// How the guest agent and the host find each other and frame what they say.
///
/// The agent connects to the host (CID 2) as soon as it runs, so that nobody polls: first to `controlPort`, where it says `AgentMessage.hello`
/// and then answers `AgentRequest`s, and to `streamPort` once for each byte stream that a request names. A frame is a 32-bit length,
/// little-endian, and as many bytes.
public enum AgentChannel {
    /// Both sides are of one build; a template saved by another is noticed by this.
    public static let version: UInt32 = 3
    /// AF_VSOCK port of the host for the one control connection.
    public static let controlPort: UInt32 = 1024
    /// AF_VSOCK port of the host for byte streams. The agent's first eight bytes on a connection are the stream's token, little-endian;
    /// then the stream itself goes both ways, and each way ends by shutdown(2).
    public static let streamPort: UInt32 = 1025

    /// Bytes of the length before each frame.
    public static let headerSize = 4
    /// The longest frame in bytes.
    public static let maximumFrame = 4 << 20

    /// The length that a header announces; nil when it is none that a frame may have.
    public static func size(_ header: some Collection<UInt8>) -> Int? {
        guard header.count == headerSize else { return nil }
        let size = header.reversed().reduce(0 as Int) { $0 << 8 | Int($1) }
        return (1...maximumFrame).contains(size) ? size : nil
    }

    /// Bytes of `AgentMessage.kernelLog`.
    public static let maximumKernelLog = 128 << 10

    static func frame(_ body: (inout WireEncoder) -> Void) -> [UInt8] {
        var message = WireEncoder()
        body(&message)
        var frame = WireEncoder()
        frame.encode(UInt32(message.bytes.count))
        return frame.bytes + message.bytes
    }

    static func decode<Message>(
        _ bytes: [UInt8], _ body: (inout WireDecoder) throws(WireError) -> Message
    ) throws(WireError) -> Message {
        var decoder = WireDecoder(bytes)
        let message = try body(&decoder)
        try decoder.finish()
        return message
    }
}

/// Limits of fields: what no sensible request exceeds.
enum FieldLimit {
    static let path = 4096
    static let text = 1 << 16
    /// Linux's limit on one argument (MAX_ARG_STRLEN).
    static let argument = 128 << 10
    static let list = 65536
    static let file = 1 << 20
}

extension WireDecoder {
    mutating func decodePath() throws(WireError) -> String { try decodeString(limit: FieldLimit.path) }

    mutating func decodeText() throws(WireError) -> String { try decodeString(limit: FieldLimit.text) }

    mutating func decodeArguments() throws(WireError) -> [String] {
        try decodeArray(limit: FieldLimit.list) { (decoder) throws(WireError) in
            try decoder.decodeString(limit: FieldLimit.argument)
        }
    }

    mutating func decodePaths() throws(WireError) -> [String] {
        try decodeArray(limit: FieldLimit.list) { (decoder) throws(WireError) in try decoder.decodePath() }
    }
}
