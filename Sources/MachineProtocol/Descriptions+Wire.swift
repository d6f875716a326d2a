import Wire

extension ShareDescription {
    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(path)
        encoder.encode(tag)
        encoder.encode(name) { $0.encode($1) }
        encoder.encode(readOnly)
        encoder.encode(allowsDevices)
        switch ownership {
        case .automatic: encoder.encode(0 as UInt8)
        case .passthrough: encoder.encode(1 as UInt8)
        case .mapped: encoder.encode(2 as UInt8)
        case .squash(let user, let group):
            encoder.encode(3 as UInt8)
            encoder.encode(user) { $0.encode($1) }
            encoder.encode(group) { $0.encode($1) }
        }
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        path = try decoder.decodeText()
        tag = try decoder.decodeText()
        name = try decoder.decodeOptionalText()
        readOnly = try decoder.decode(Bool.self)
        allowsDevices = try decoder.decode(Bool.self)
        let offset = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 0: ownership = .automatic
        case 1: ownership = .passthrough
        case 2: ownership = .mapped
        case 3:
            ownership = .squash(
                user: try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt32.self) },
                group: try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt32.self) })
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
    }
}

extension VsockDescription {
    func encode(_ encoder: inout WireEncoder) {
        switch backend {
        case .user(let path):
            encoder.encode(0 as UInt8)
            encoder.encode(path) { $0.encode($1) }
        case .vhost: encoder.encode(1 as UInt8)
        }
        encoder.encode(contextID) { $0.encode($1) }
        encoder.encode(forwardedPorts) { $0.encode($1) }
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        let offset = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 0:
            backend = .user(path: try decoder.decodeOptionalText())
        case 1: backend = .vhost
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
        contextID = try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt32.self) }
        forwardedPorts = try decoder.decodeList { (decoder) throws(WireError) in
            try decoder.decode(UInt32.self)
        }
    }
}
