import Wire

extension AgentMessage {
    /// With the length before it.
    public var frame: [UInt8] {
        AgentChannel.frame { encoder in
            switch self {
            case .hello(let version, let milliseconds):
                encoder.encode(1 as UInt8)
                encoder.encode(version)
                encoder.encode(milliseconds)
            case .reply(let request, let reply):
                encoder.encode(2 as UInt8)
                encoder.encode(request)
                reply.encode(&encoder)
            case .exited(let process, let status, let wasOutOfMemory):
                encoder.encode(3 as UInt8)
                encoder.encode(process)
                encoder.encode(status)
                encoder.encode(wasOutOfMemory)
            case .stopping: encoder.encode(4 as UInt8)
            case .outOfMemory(let count):
                encoder.encode(5 as UInt8)
                encoder.encode(count)
            case .note(let text):
                encoder.encode(6 as UInt8)
                encoder.encode(text)
            case .kernelLog(let bytes):
                encoder.encode(7 as UInt8)
                encoder.encode(bytes)
            case .progress: encoder.encode(8 as UInt8)
            }
        }
    }

    /// A frame without its length.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        self = try AgentChannel.decode(bytes) { (decoder) throws(WireError) in
            let offset = decoder.offset
            switch try decoder.decode(UInt8.self) {
            case 1: return .hello(version: try decoder.decode(UInt32.self), milliseconds: try decoder.decode(UInt32.self))
            case 2: return .reply(request: try decoder.decode(UInt32.self), try AgentReply(&decoder))
            case 3:
                return .exited(process: try decoder.decode(UInt32.self), status: try decoder.decode(UInt8.self),
                               wasOutOfMemory: try decoder.decode(Bool.self))
            case 4: return .stopping
            case 5: return .outOfMemory(count: try decoder.decode(UInt32.self))
            case 6: return .note(try decoder.decodeText())
            case 7: return .kernelLog(try decoder.decodeBytes(limit: AgentChannel.maximumKernelLog))
            case 8: return .progress
            case let other: throw .invalidValue(offset: offset, found: UInt64(other))
            }
        }
    }
}

extension AgentReply {
    func encode(_ encoder: inout WireEncoder) {
        switch self {
        case .done: encoder.encode(1 as UInt8)
        case .failed(let failure):
            encoder.encode(2 as UInt8)
            encoder.encode(failure.kind.rawValue)
            encoder.encode(failure.text)
        case .statistics(let statistics):
            encoder.encode(3 as UInt8)
            statistics.encode(&encoder)
        case .processes(let entries):
            encoder.encode(4 as UInt8)
            encoder.encode(entries) { $1.encode(&$0) }
        case .status(let status):
            encoder.encode(5 as UInt8)
            status.encode(&encoder)
        }
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        let offset = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 1: self = .done
        case 2: self = .failed(AgentFailure(try decoder.decodeChoice(AgentFailure.Kind.init(rawValue:)), try decoder.decodeText()))
        case 3: self = .statistics(try AgentStatistics(&decoder))
        case 4:
            self = .processes(try decoder.decodeArray(limit: FieldLimit.list) { (decoder) throws(WireError) in
                try ProcessEntry(&decoder)
            })
        case 5: self = .status(try PathStatus(&decoder))
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
    }
}

extension AgentStatistics {
    public func encode(_ encoder: inout WireEncoder) {
        for value in values { encoder.encode(value) }
    }

    public init(_ decoder: inout WireDecoder) throws(WireError) {
        self.init()
        cpu = try decoder.decode(UInt64.self)
        cpuUser = try decoder.decode(UInt64.self)
        cpuSystem = try decoder.decode(UInt64.self)
        memory = try decoder.decode(UInt64.self)
        memoryPeak = try decoder.decode(UInt64.self)
        memoryTotal = try decoder.decode(UInt64.self)
        memoryCache = try decoder.decode(UInt64.self)
        processes = try decoder.decode(UInt64.self)
        received = try decoder.decode(UInt64.self)
        transmitted = try decoder.decode(UInt64.self)
        blockRead = try decoder.decode(UInt64.self)
        blockWritten = try decoder.decode(UInt64.self)
        outOfMemoryKills = try decoder.decode(UInt64.self)
    }
}

extension ProcessEntry {
    public func encode(_ encoder: inout WireEncoder) {
        encoder.encode(identifier)
        encoder.encode(parent)
        encoder.encode(user)
        encoder.encode(cpu)
        encoder.encode(elapsed)
        encoder.encode(resident)
        encoder.encode(state)
        encoder.encode(command)
    }

    public init(_ decoder: inout WireDecoder) throws(WireError) {
        identifier = try decoder.decode(UInt32.self)
        parent = try decoder.decode(UInt32.self)
        user = try decoder.decode(UInt32.self)
        cpu = try decoder.decode(UInt64.self)
        elapsed = try decoder.decode(UInt64.self)
        resident = try decoder.decode(UInt64.self)
        state = try decoder.decode(UInt8.self)
        command = try decoder.decodeText()
    }
}

extension PathStatus {
    public func encode(_ encoder: inout WireEncoder) {
        encoder.encode(mode)
        encoder.encode(size)
        encoder.encode(target)
    }

    public init(_ decoder: inout WireDecoder) throws(WireError) {
        mode = try decoder.decode(UInt32.self)
        size = try decoder.decode(UInt64.self)
        target = try decoder.decodePath()
    }
}
