/// The name of content by its hash: `sha256:` or `sha512:` and the hash in lower-case hexadecimal digits.
///
/// Source: OCI image-spec, descriptor.md, "Digests". Both algorithms that it registers for use are supported.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
    public enum Algorithm: String, Sendable, CaseIterable {
        case sha256
        case sha512

        /// Hexadecimal digits of a hash.
        public var length: Int { self == .sha256 ? 64 : 128 }
    }

    public let algorithm: Algorithm
    /// 64 or 128 digits of 0...9, a...f.
    public let hex: String

    /// Parses `algorithm:hex`.
    public init(_ text: String) throws(ImageError) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw .invalidDigest(text, reason: "expected ALGORITHM:HEX, such as sha256:…")
        }
        let name = text[..<colon]
        guard let algorithm = Algorithm(rawValue: String(name)) else {
            throw .invalidDigest(text, reason: "unknown algorithm, expected sha256 or sha512")
        }
        let hex = text[text.index(after: colon)...]
        guard hex.utf8.count == algorithm.length, hex.utf8.allSatisfy(Self.isDigit) else {
            throw .invalidDigest(text, reason: "expected \(algorithm.length) lower-case hexadecimal digits after \(name):")
        }
        self.algorithm = algorithm
        self.hex = String(hex)
    }

    /// The digest whose hash has these bytes: 32 or 64 of them, as the algorithm makes.
    init(_ algorithm: Algorithm, hash: some Sequence<UInt8>) {
        let digits = Array("0123456789abcdef".utf8)
        var hex: [UInt8] = []
        hex.reserveCapacity(algorithm.length)
        for byte in hash {
            hex.append(digits[Int(byte >> 4)])
            hex.append(digits[Int(byte & 15)])
        }
        self.algorithm = algorithm
        self.hex = String(decoding: hex, as: UTF8.self)
    }

    public var description: String { "\(algorithm.rawValue):\(hex)" }

    /// The first 12 digits, as people read them.
    public var short: String { String(hex.prefix(12)) }

    static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}

extension Digest: Codable {
    public init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
