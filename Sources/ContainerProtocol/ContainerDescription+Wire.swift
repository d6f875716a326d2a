import AgentProtocol
import Wire

extension ContainerDescription {
    private static let version: UInt32 = 2

    /// As bytes, for `svmm-vmm` of the same build.
    public var encoded: [UInt8] {
        var encoder = WireEncoder()
        encoder.encode(Self.version)
        encoder.encode(identifier)
        encoder.encode(name)
        encoder.encode(image)
        encoder.encode(directory)
        encoder.encode(socket)
        sandbox.encode(&encoder)
        process.encode(&encoder)
        encoder.encode(hasInput)
        encoder.encode(log.isKept)
        encoder.encode(log.maximumSize)
        encoder.encode(log.maximumFiles)
        switch restart {
        case .never: encoder.encode(0 as UInt8)
        case .onFailure(let maximum):
            encoder.encode(1 as UInt8)
            encoder.encode(maximum) { $0.encode($1) }
        case .always: encoder.encode(2 as UInt8)
        case .unlessStopped: encoder.encode(3 as UInt8)
        }
        encoder.encode(health) { $1.encode(&$0) }
        encoder.encode(stopTimeout)
        encoder.encode(eventLog)
        encoder.encode(cleanup) { $0.encode($1) }
        encoder.encode(isRemovedAtEnd)
        encoder.encode(volumeMarks) { $0.encode($1) }
        return encoder.bytes
    }

    public init(decoding bytes: [UInt8]) throws(WireError) {
        var decoder = WireDecoder(bytes)
        let version = try decoder.decode(UInt32.self)
        guard version == Self.version else { throw .invalidValue(offset: 0, found: UInt64(version)) }
        identifier = try decoder.decodeText()
        name = try decoder.decodeText()
        image = try decoder.decodeText()
        directory = try decoder.decodeText()
        socket = try decoder.decodeText()
        sandbox = try SandboxConfiguration(&decoder)
        process = try ProcessConfiguration(&decoder)
        hasInput = try decoder.decode(Bool.self)
        log = LogDescription(isKept: try decoder.decode(Bool.self), maximumSize: try decoder.decode(UInt64.self),
                             maximumFiles: try decoder.decode(UInt8.self))
        restart = try Self.decodeRestart(&decoder)
        health = try decoder.decodeOptional { (decoder) throws(WireError) in try HealthCheck(&decoder) }
        stopTimeout = try decoder.decode(UInt32.self)
        eventLog = try decoder.decodeText()
        cleanup = try decoder.decodeTexts()
        isRemovedAtEnd = try decoder.decode(Bool.self)
        volumeMarks = try decoder.decodeTexts()
        try decoder.finish()
    }

    private static func decodeRestart(_ decoder: inout WireDecoder) throws(WireError) -> RestartPolicy {
        let offset = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 0: return .never
        case 1:
            return .onFailure(maximum: try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt32.self) })
        case 2: return .always
        case 3: return .unlessStopped
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
    }
}

extension HealthCheck {
    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(command) { $0.encode($1) }
        encoder.encode(interval)
        encoder.encode(timeout)
        encoder.encode(startPeriod)
        encoder.encode(retries)
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        command = try decoder.decodeTexts()
        interval = try decoder.decode(UInt64.self)
        timeout = try decoder.decode(UInt64.self)
        startPeriod = try decoder.decode(UInt64.self)
        retries = try decoder.decode(UInt32.self)
    }
}

enum ContainerLimit {
    static let text = 1 << 17
    static let list = 65536
}

extension WireDecoder {
    mutating func decodeText() throws(WireError) -> String { try decodeString(limit: ContainerLimit.text) }

    mutating func decodeTexts() throws(WireError) -> [String] {
        try decodeArray(limit: ContainerLimit.list) { (decoder) throws(WireError) in try decoder.decodeText() }
    }
}
