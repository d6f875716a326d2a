import Wire

extension NetworkDescription {
    func encode(_ encoder: inout WireEncoder) {
        switch backend {
        case .tap(let name):
            encoder.encode(0 as UInt8)
            encoder.encode(name) { $0.encode($1) }
        case .user(let user):
            encoder.encode(1 as UInt8)
            encoder.encode(user.published) { encoder, port in
                encoder.encode(port.address) { $0.encode($1) }
                encoder.encode(UInt32(port.host))
                encoder.encode(UInt32(port.guest))
                encoder.encode(port.transport.rawValue)
            }
            encoder.encode(user.reachesHost)
            encoder.encode(user.addresses) { encoder, addresses in
                encoder.encode(addresses.guest)
                encoder.encode(addresses.prefixLength)
                encoder.encode(addresses.gateway)
                encoder.encode(addresses.resolver) { $0.encode($1) }
            }
        case .descriptor(let number):
            encoder.encode(2 as UInt8)
            encoder.encode(UInt32(bitPattern: number))
        }
        encoder.encode(mac) { encoder, bytes in bytes.forEach { encoder.encode($0) } }
        encoder.encode(mtu) { $0.encode(UInt32($1)) }
        encoder.encode(UInt32(queueCount))
        encoder.encode(vhost.rawValue)
        for limit in [receiveLimit, transmitLimit] {
            encoder.encode(limit.bits) { $0.encode($1) }
            encoder.encode(limit.packets) { $0.encode($1) }
        }
        encoder.encode(capturePath) { $0.encode($1) }
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        let offset = decoder.offset
        let backend: Backend
        switch try decoder.decode(UInt8.self) {
        case 0: backend = .tap(name: try Self.decodeText(&decoder))
        case 1:
            let published = try decoder.decodeList { (decoder) throws(WireError) in
                let address = try Self.decodeText(&decoder)
                let (host, guest) = (try Self.decodeWord(&decoder), try Self.decodeWord(&decoder))
                return PublishedPort(address: address, host: host, guest: guest,
                                     transport: try decoder.decodeChoice(PublishedPort.Transport.init(rawValue:)))
            }
            let reachesHost = try decoder.decode(Bool.self)
            let addresses = try decoder.decodeOptional { (decoder) throws(WireError) in
                UserNetworkDescription.Addresses(
                    guest: try decoder.decodeText(), prefixLength: try decoder.decode(UInt8.self), gateway: try decoder.decodeText(),
                    resolver: try Self.decodeText(&decoder))
            }
            backend = .user(UserNetworkDescription(published: published, reachesHost: reachesHost, addresses: addresses))
        case 2: backend = .descriptor(Int32(bitPattern: try decoder.decode(UInt32.self)))
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
        self.init(backend)
        mac = try decoder.decodeOptional { (decoder) throws(WireError) in
            var bytes: [UInt8] = []
            for _ in 0..<Self.macLength { bytes.append(try decoder.decode(UInt8.self)) }
            return bytes
        }
        mtu = try decoder.decodeOptional { (decoder) throws(WireError) in try Self.decodeWord(&decoder) }
        let countOffset = decoder.offset
        let count = try decoder.decode(UInt32.self)
        guard let count = Int(exactly: count), Self.queueCounts.contains(count) else {
            throw .invalidValue(offset: countOffset, found: UInt64(count))
        }
        queueCount = count
        vhost = try decoder.decodeChoice(Vhost.init(rawValue:))
        receiveLimit = try Self.decodeLimit(&decoder)
        transmitLimit = try Self.decodeLimit(&decoder)
        capturePath = try Self.decodeText(&decoder)
    }

    private static func decodeText(_ decoder: inout WireDecoder) throws(WireError) -> String? {
        try decoder.decodeOptionalText()
    }

    private static func decodeWord(_ decoder: inout WireDecoder) throws(WireError) -> UInt16 {
        let offset = decoder.offset
        let value = try decoder.decode(UInt32.self)
        guard let word = UInt16(exactly: value) else { throw .invalidValue(offset: offset, found: UInt64(value)) }
        return word
    }

    private static func decodeLimit(_ decoder: inout WireDecoder) throws(WireError) -> RateLimit {
        func number(_ decoder: inout WireDecoder) throws(WireError) -> UInt64? {
            try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt64.self) }
        }
        return RateLimit(bits: try number(&decoder), packets: try number(&decoder))
    }
}
