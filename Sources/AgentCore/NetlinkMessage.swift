import Wire

/// Requests of rtnetlink(7), as bytes.
public enum NetlinkMessage {
    /// RTM_NEWLINK: changes a link that exists.
    ///
    /// - Parameters:
    ///   - name: nil: as it is.
    ///   - mtu: 0: as it is.
    ///   - isUp: nil: as it is.
    ///   - mac: six bytes, of a link that is down; nil: as it is.
    public static func link(_ index: UInt32, name: [UInt8]? = nil, mac: [UInt8]? = nil, mtu: UInt32 = 0, isUp: Bool? = nil, sequence: UInt32) -> [UInt8] {
        request(type: 16, flags: 0, sequence) { encoder in
            encoder.encode(0 as UInt16)  // AF_UNSPEC
            encoder.encode(0 as UInt16)
            encoder.encode(index)
            encoder.encode(isUp == true ? 1 : 0 as UInt32)  // IFF_UP
            encoder.encode(isUp == nil ? 0 : 1 as UInt32)
            if let mac { encoder.attribute(1, mac) }  // IFLA_ADDRESS
            if let name { encoder.attribute(3, name + [0]) }  // IFLA_IFNAME
            if mtu > 0 { encoder.attribute(4, mtu) }  // IFLA_MTU
        }
    }

    /// RTM_NEWADDR; nil for an address that is none.
    public static func address(_ bytes: [UInt8], prefixLength: UInt8, link: UInt32, sequence: UInt32) -> [UInt8]? {
        guard let family = family(bytes), Int(prefixLength) <= bytes.count * 8 else { return nil }
        return request(type: 20, flags: 0x500, sequence) { encoder in  // NLM_F_CREATE, NLM_F_REPLACE
            encoder.encode(family)
            encoder.encode(prefixLength)
            // IFA_F_NODAD: nobody else is on this link who could have the address, and asking takes a second.
            encoder.encode(2 as UInt8)
            encoder.encode(0 as UInt8)  // RT_SCOPE_UNIVERSE
            encoder.encode(link)
            encoder.attribute(2, bytes)  // IFA_LOCAL
            encoder.attribute(1, bytes)  // IFA_ADDRESS
            if bytes.count == 4, prefixLength < 31 { encoder.attribute(4, broadcast(bytes, prefixLength)) }  // IFA_BROADCAST
        }
    }

    /// RTM_NEWROUTE: a default route over a next hop, taken to be on the link even where no address says so.
    public static func defaultRoute(_ gateway: [UInt8], link: UInt32, metric: UInt32, sequence: UInt32) -> [UInt8]? {
        guard let family = family(gateway) else { return nil }
        return request(type: 24, flags: 0x400, sequence) { encoder in  // NLM_F_CREATE
            encoder.encode(family)
            encoder.encode(0 as UInt8)
            encoder.encode(0 as UInt8)
            encoder.encode(0 as UInt8)
            encoder.encode(254 as UInt8)  // RT_TABLE_MAIN
            encoder.encode(4 as UInt8)  // RTPROT_STATIC
            encoder.encode(0 as UInt8)  // RT_SCOPE_UNIVERSE
            encoder.encode(1 as UInt8)  // RTN_UNICAST
            encoder.encode(4 as UInt32)  // RTNH_F_ONLINK
            encoder.attribute(5, gateway)  // RTA_GATEWAY
            encoder.attribute(4, link)  // RTA_OIF
            if metric > 0 { encoder.attribute(6, metric) }  // RTA_PRIORITY
        }
    }

    /// The errno in an answer to a request that asked for one: 0 for success, nil when it is no such answer.
    public static func answer(_ bytes: [UInt8]) -> Int32? {
        var decoder = WireDecoder(bytes)
        guard (try? decoder.decode(UInt32.self)) != nil, let type = try? decoder.decode(UInt16.self), type == 2,  // NLMSG_ERROR
              (try? decoder.decode(UInt16.self)) != nil, (try? decoder.decode(UInt64.self)) != nil,
              let error = try? decoder.decode(Int32.self)
        else { return nil }
        return 0 &- error
    }

    private static func family(_ address: [UInt8]) -> UInt8? {
        switch address.count {
        case 4: 2  // AF_INET
        case 16: 10  // AF_INET6
        default: nil
        }
    }

    private static func broadcast(_ address: [UInt8], _ prefixLength: UInt8) -> [UInt8] {
        var bytes = address
        for bit in Int(prefixLength)..<(bytes.count * 8) { bytes[bit / 8] |= 0x80 >> UInt8(bit % 8) }
        return bytes
    }

    /// NLM_F_REQUEST and NLM_F_ACK are among the flags.
    private static func request(type: UInt16, flags: UInt16, _ sequence: UInt32, _ body: (inout WireEncoder) -> Void) -> [UInt8] {
        var encoder = WireEncoder()
        body(&encoder)
        var header = WireEncoder()
        header.encode(UInt32(16 + encoder.bytes.count))
        header.encode(type)
        header.encode(flags | 5)
        header.encode(sequence)
        header.encode(0 as UInt32)
        return header.bytes + encoder.bytes
    }
}

extension WireEncoder {
    /// A `struct rtattr`, padded to four bytes.
    fileprivate mutating func attribute(_ type: UInt16, _ value: [UInt8]) {
        encode(UInt16(truncatingIfNeeded: 4 + value.count))
        encode(type)
        for byte in value { encode(byte) }
        while bytes.count % 4 != 0 { encode(0 as UInt8) }
    }

    fileprivate mutating func attribute(_ type: UInt16, _ value: UInt32) {
        encode(UInt16(8))
        encode(type)
        encode(value)
    }
}
