import Wire

extension AgentRequest {
    /// With the number by which it is answered, and the length before it.
    public func frame(_ number: UInt32) -> [UInt8] {
        AgentChannel.frame { encoder in
            encoder.encode(number)
            encode(&encoder)
        }
    }

    /// A frame without its length: the number and the request.
    public static func decode(_ bytes: [UInt8]) throws(WireError) -> (number: UInt32, request: AgentRequest) {
        try AgentChannel.decode(bytes) { (decoder) throws(WireError) in
            (try decoder.decode(UInt32.self), try AgentRequest(&decoder))
        }
    }

    private func encode(_ encoder: inout WireEncoder) {
        switch self {
        case .setUp(let configuration):
            encoder.encode(1 as UInt8)
            configuration.encode(&encoder)
        case .start(let process):
            encoder.encode(2 as UInt8)
            process.encode(&encoder)
        case .execute(let number, let process):
            encoder.encode(3 as UInt8)
            encoder.encode(number)
            process.encode(&encoder)
        case .signal(let process, let signal):
            encoder.encode(4 as UInt8)
            encoder.encode(process)
            encoder.encode(signal)
        case .resize(let process, let size):
            encoder.encode(5 as UInt8)
            encoder.encode(process)
            encoder.encode(size.columns)
            encoder.encode(size.rows)
        case .statistics: encoder.encode(6 as UInt8)
        case .processes: encoder.encode(7 as UInt8)
        case .freeze(let isFrozen):
            encoder.encode(8 as UInt8)
            encoder.encode(isFrozen)
        case .archive(let path, let stream):
            encoder.encode(9 as UInt8)
            encoder.encode(path)
            encoder.encode(stream)
        case .extract(let path, let stream):
            encoder.encode(10 as UInt8)
            encoder.encode(path)
            encoder.encode(stream)
        case .status(let path):
            encoder.encode(11 as UInt8)
            encoder.encode(path)
        case .setTime(let time):
            encoder.encode(12 as UInt8)
            encoder.encode(time)
        case .shutDown(let syncs):
            encoder.encode(13 as UInt8)
            encoder.encode(syncs)
        case .growDisk(let serial, let size):
            encoder.encode(14 as UInt8)
            encoder.encode(serial)
            encoder.encode(size)
        }
    }

    private init(_ decoder: inout WireDecoder) throws(WireError) {
        let offset = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 1: self = .setUp(try SandboxConfiguration(&decoder))
        case 2: self = .start(try ProcessConfiguration(&decoder))
        case 3: self = .execute(process: try decoder.decode(UInt32.self), try ProcessConfiguration(&decoder))
        case 4: self = .signal(process: try decoder.decode(UInt32.self), signal: try decoder.decode(UInt8.self))
        case 5:
            self = .resize(process: try decoder.decode(UInt32.self),
                           ProcessConfiguration.TerminalSize(columns: try decoder.decode(UInt16.self),
                                                             rows: try decoder.decode(UInt16.self)))
        case 6: self = .statistics
        case 7: self = .processes
        case 8: self = .freeze(try decoder.decode(Bool.self))
        case 9: self = .archive(path: try decoder.decodePath(), stream: try decoder.decode(UInt64.self))
        case 10: self = .extract(path: try decoder.decodePath(), stream: try decoder.decode(UInt64.self))
        case 11: self = .status(path: try decoder.decodePath())
        case 12: self = .setTime(try decoder.decode(UInt64.self))
        case 13: self = .shutDown(syncs: try decoder.decode(Bool.self))
        case 14: self = .growDisk(serial: try decoder.decodePath(), size: try decoder.decode(UInt64.self))
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
    }
}
