/// A registry as people name it: HOST or HOST:PORT, and where it answers.
///
/// `docker.io` and its other names are one registry, which answers at registry-1.docker.io.
public struct RegistryName: Hashable, Sendable, CustomStringConvertible {
    /// As it stands in image references and authentication files: lower-case, with the port if one was given.
    public let description: String
    /// The host that is connected to: a name or an address, without brackets.
    let host: String
    /// The port that was given; nil for that of the scheme.
    let port: Int?

    static let dockerHub = "docker.io"

    /// Parses HOST[:PORT], also with `https://` before it and a slash behind, as people copy it from elsewhere.
    public init(_ text: String) throws(RegistryError) {
        var rest = text[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        let fail = { (reason: String) in RegistryError.invalidRegistry(text, reason: reason) }
        var host = rest
        var port: Int?
        if let colon = rest.lastIndex(of: ":"), !rest.hasSuffix("]") {
            let digits = rest[rest.index(after: colon)...]
            guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = UInt16(digits),
                  number > 0 else { throw fail("expected a port of 1 to 65535") }
            port = Int(number)
            host = rest[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let address = host.dropFirst().dropLast()
            guard address.contains(":"), address.utf8.allSatisfy({ Self.isHexadecimal($0) || ":.".utf8.contains($0) }) else {
                throw fail("expected an IPv6 address in the brackets")
            }
            host = address
        } else {
            let labels = host.split(separator: ".", omittingEmptySubsequences: false)
            guard host.utf8.count <= 253, labels.allSatisfy(Self.isLabel) else { throw fail("expected HOST or HOST:PORT") }
        }
        let lower = rest.lowercased()
        let isHub = port == nil && ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(lower)
        description = isHub ? Self.dockerHub : lower
        self.host = isHub ? "registry-1.docker.io" : host.lowercased()
        self.port = port
    }

    /// Where the registry's requests go by this scheme.
    func origin(_ scheme: Origin.Scheme) -> Origin {
        Origin(scheme: scheme, host: host, port: port ?? scheme.port)
    }

    /// Letters, digits, dashes and, as some hosts have them, underscores; a dash not at either end.
    private static func isLabel(_ label: Substring) -> Bool {
        let bytes = label.utf8
        return (1...63).contains(bytes.count) && bytes.first != UInt8(ascii: "-") && bytes.last != UInt8(ascii: "-")
            && bytes.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || "0123456789-_".utf8.contains(byte)
            }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
