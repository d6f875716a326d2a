import LinuxSystem

/// An IPv4 or IPv6 address. Those of one version are in the order of their numbers.
public struct IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    /// 4 or 16.
    public let bytes: [UInt8]

    /// nil for text that inet_pton(3) does not take.
    public init?(_ text: String) {
        guard let bytes = internetAddress(text) else { return nil }
        self.bytes = bytes
    }

    /// nil unless the bytes are 4 or 16.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    public var isVersion6: Bool { bytes.count == 16 }
    public var description: String { internetAddressText(bytes) ?? "" }

    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        left.bytes.count == right.bytes.count ? left.bytes.lexicographicallyPrecedes(right.bytes) : left.bytes.count < right.bytes.count
    }

    /// The address that comes next; nil behind the last one.
    var next: IPAddress? {
        var bytes = bytes
        for index in bytes.indices.reversed() {
            bytes[index] &+= 1
            if bytes[index] != 0 { return IPAddress(bytes: bytes) }
        }
        return nil
    }

    /// With the bits behind the prefix all 0, or all 1.
    func filled(behind prefixLength: UInt8, with ones: Bool) -> IPAddress {
        var bytes = bytes
        for bit in Int(prefixLength)..<max(bytes.count * 8, Int(prefixLength)) {
            let mask = 0x80 >> UInt8(bit % 8) as UInt8
            bytes[bit / 8] = ones ? bytes[bit / 8] | mask : bytes[bit / 8] & ~mask
        }
        return IPAddress(bytes: bytes) ?? self
    }
}

extension IPAddress: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = IPAddress(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no address: \(text)")
        }
        self = address
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
