import AgentProtocol
import Wire

extension ClientMessage {
    /// With the length before it.
    public var frame: [UInt8] {
        makeFrame { encoder in
            switch self {
            case .attach(let streams):
                encoder.encode(1 as UInt8)
                encoder.encode(streams.rawValue)
            case .detach: encoder.encode(2 as UInt8)
            case .execute(let process, let streams):
                encoder.encode(3 as UInt8)
                process.encode(&encoder)
                encoder.encode(streams.rawValue)
            case .input(let bytes):
                encoder.encode(4 as UInt8)
                encoder.encode(bytes)
            case .endOfInput: encoder.encode(5 as UInt8)
            case .resize(let size):
                encoder.encode(6 as UInt8)
                encoder.encode(size.columns)
                encoder.encode(size.rows)
            case .signal(let signal):
                encoder.encode(7 as UInt8)
                encoder.encode(signal)
            case .stop(let timeout):
                encoder.encode(8 as UInt8)
                encoder.encode(timeout) { $0.encode($1) }
            case .wait: encoder.encode(9 as UInt8)
            case .promiseCleanup: encoder.encode(10 as UInt8)
            case .pause(let isPaused):
                encoder.encode(11 as UInt8)
                encoder.encode(isPaused)
            case .statistics: encoder.encode(12 as UInt8)
            case .processes: encoder.encode(13 as UInt8)
            case .status: encoder.encode(14 as UInt8)
            case .rename(let name):
                encoder.encode(15 as UInt8)
                encoder.encode(name)
            case .archive(let path):
                encoder.encode(16 as UInt8)
                encoder.encode(path)
            case .extract(let path):
                encoder.encode(17 as UInt8)
                encoder.encode(path)
            case .pathStatus(let path):
                encoder.encode(18 as UInt8)
                encoder.encode(path)
            case .growDisk(let serial, let size):
                encoder.encode(21 as UInt8)
                encoder.encode(serial)
                encoder.encode(size)
            }
        }
    }

    /// Without the length.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        var decoder = WireDecoder(bytes)
        self = try Self.decode(&decoder)
        try decoder.finish()
    }

    private static func decode(_ decoder: inout WireDecoder) throws(WireError) -> ClientMessage {
        let offset = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 1: return .attach(AttachedStreams(rawValue: try decoder.decode(UInt8.self)))
        case 2: return .detach
        case 3:
            return .execute(try ProcessConfiguration(&decoder), AttachedStreams(rawValue: try decoder.decode(UInt8.self)))
        case 4: return .input(try decoder.decodeBytes(limit: ContainerChannel.maximumPart))
        case 5: return .endOfInput
        case 6:
            return .resize(ProcessConfiguration.TerminalSize(columns: try decoder.decode(UInt16.self),
                                                             rows: try decoder.decode(UInt16.self)))
        case 7: return .signal(try decoder.decode(UInt8.self))
        case 8: return .stop(timeout: try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt32.self) })
        case 9: return .wait
        case 10: return .promiseCleanup
        case 11: return .pause(try decoder.decode(Bool.self))
        case 12: return .statistics
        case 13: return .processes
        case 14: return .status
        case 15: return .rename(try decoder.decodeText())
        case 16: return .archive(path: try decoder.decodeText())
        case 17: return .extract(path: try decoder.decodeText())
        case 18: return .pathStatus(try decoder.decodeText())
        case 21: return .growDisk(serial: try decoder.decodeText(), size: try decoder.decode(UInt64.self))
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
    }
}

extension MonitorMessage {
    /// With the length before it.
    public var frame: [UInt8] {
        makeFrame { encoder in
            switch self {
            case .done: encoder.encode(1 as UInt8)
            case .failed(let status, let text):
                encoder.encode(2 as UInt8)
                encoder.encode(status)
                encoder.encode(text)
            case .started: encoder.encode(3 as UInt8)
            case .output(let bytes):
                encoder.encode(4 as UInt8)
                encoder.encode(bytes)
            case .errors(let bytes):
                encoder.encode(5 as UInt8)
                encoder.encode(bytes)
            case .exited(let status, let wasOutOfMemory):
                encoder.encode(6 as UInt8)
                encoder.encode(status)
                encoder.encode(wasOutOfMemory)
            case .statistics(let statistics, let residentBytes):
                encoder.encode(7 as UInt8)
                statistics.encode(&encoder)
                encoder.encode(residentBytes)
            case .processes(let entries):
                encoder.encode(8 as UInt8)
                encoder.encode(entries) { $1.encode(&$0) }
            case .status(let status):
                encoder.encode(9 as UInt8)
                status.encode(&encoder)
            case .pathStatus(let status):
                encoder.encode(10 as UInt8)
                status.encode(&encoder)
            }
        }
    }

    /// Without the length.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        var decoder = WireDecoder(bytes)
        self = try Self.decode(&decoder)
        try decoder.finish()
    }

    private static func decode(_ decoder: inout WireDecoder) throws(WireError) -> MonitorMessage {
        let offset = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 1: return .done
        case 2: return .failed(status: try decoder.decode(UInt8.self), try decoder.decodeText())
        case 3: return .started
        case 4: return .output(try decoder.decodeBytes(limit: ContainerChannel.maximumPart))
        case 5: return .errors(try decoder.decodeBytes(limit: ContainerChannel.maximumPart))
        case 6: return .exited(status: try decoder.decode(UInt8.self), wasOutOfMemory: try decoder.decode(Bool.self))
        case 7: return .statistics(try AgentStatistics(&decoder), residentBytes: try decoder.decode(UInt64.self))
        case 8:
            return .processes(try decoder.decodeArray(limit: ContainerLimit.list) { (decoder) throws(WireError) in
                try ProcessEntry(&decoder)
            })
        case 9: return .status(try ContainerStatus(&decoder))
        case 10: return .pathStatus(try PathStatus(&decoder))
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
    }
}

private func makeFrame(_ body: (inout WireEncoder) -> Void) -> [UInt8] {
    var message = WireEncoder()
    body(&message)
    var frame = WireEncoder()
    frame.encode(UInt32(message.bytes.count))
    return frame.bytes + message.bytes
}
