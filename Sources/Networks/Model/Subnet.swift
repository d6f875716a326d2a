/// The addresses that begin with the same bits.
public struct Subnet: Hashable, Sendable, CustomStringConvertible {
    /// The first of them.
    public let base: IPAddress
    /// 0...32 or 0...128.
    public let prefixLength: UInt8

    /// The subnet that an address is in; nil for a length that is none.
    public init?(_ address: IPAddress, prefixLength: UInt8) {
        guard Int(prefixLength) <= address.bytes.count * 8 else { return nil }
        base = address.filled(behind: prefixLength, with: false)
        self.prefixLength = prefixLength
    }

    /// From `ADDRESS/LENGTH`; bits behind the prefix are taken for 0.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = UInt8(parts[1]),
              let address = IPAddress(String(parts[0])) else { return nil }
        self.init(address, prefixLength: length)
    }

    public var description: String { "\(base)/\(prefixLength)" }
    public var isVersion6: Bool { base.isVersion6 }

    public func contains(_ address: IPAddress) -> Bool {
        address.isVersion6 == isVersion6 && address.filled(behind: prefixLength, with: false) == base
    }

    public func overlaps(_ other: Subnet) -> Bool { contains(other.base) || other.contains(base) }

    /// What hosts may have: not the first address, which stands for the subnet (RFC 4291 section 2.6.1: for its routers), nor IPv4's
    /// last one, the broadcast address.
    public var firstHost: IPAddress { base.next ?? base }
    public var lastHost: IPAddress {
        let last = base.filled(behind: prefixLength, with: true)
        guard !isVersion6 else { return last }
        var bytes = last.bytes
        bytes[3] &= 0xFE
        return IPAddress(bytes: bytes) ?? last
    }

    /// Lengths of prefixes that leave room for a gateway and a container.
    static func lengths(isVersion6: Bool) -> ClosedRange<UInt8> { isVersion6 ? 16...126 : 8...30 }
}

extension Subnet: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let subnet = Subnet(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no subnet: \(text)")
        }
        self = subnet
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
