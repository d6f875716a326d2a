import Wire

extension DiskDescription {
    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(path)
        encoder.encode(isPlaceholder)
        encoder.encode(readOnly)
        encoder.encode(serial) { $0.encode($1) }
        encoder.encode(creationSize) { $0.encode($1) }
        encoder.encode(cache.rawValue)
        encoder.encode(engine.rawValue)
        encoder.encode(queueCount.map { UInt32($0) }) { $0.encode($1) }
        for limit in [requestLimit, byteLimit] {
            encoder.encode(limit) { encoder, limit in
                encoder.encode(limit.perSecond)
                encoder.encode(limit.burst) { $0.encode($1) }
            }
        }
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        path = try decoder.decodeText()
        isPlaceholder = try decoder.decode(Bool.self)
        readOnly = try decoder.decode(Bool.self)
        serial = try decoder.decodeOptional { (decoder) throws(WireError) in
            try decoder.decodeString(limit: DiskDescription.maximumSerialLength)
        }
        creationSize = try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt64.self) }
        cache = try decoder.decodeChoice(Cache.init(rawValue:))
        engine = try decoder.decodeChoice(Engine.init(rawValue:))
        queueCount = try decoder.decodeOptional { (decoder) throws(WireError) in
            let offset = decoder.offset
            let count = try decoder.decode(UInt32.self)
            guard let queues = Int(exactly: count), Self.queueCounts.contains(queues) else {
                throw .invalidValue(offset: offset, found: UInt64(count))
            }
            return queues
        }
        requestLimit = try Self.decodeLimit(&decoder)
        byteLimit = try Self.decodeLimit(&decoder)
    }

    private static func decodeLimit(_ decoder: inout WireDecoder) throws(WireError) -> RateLimit? {
        try decoder.decodeOptional { (decoder) throws(WireError) in
            RateLimit(perSecond: try decoder.decode(UInt64.self), burst: try decoder.decodeOptional {
                (decoder) throws(WireError) in try decoder.decode(UInt64.self)
            })
        }
    }
}
