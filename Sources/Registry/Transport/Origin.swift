import FoundationEssentials

/// Whom a request goes to. What is meant for one origin is never sent to another. Source: RFC 6454.
struct Origin: Hashable, Sendable, CustomStringConvertible {
    enum Scheme: String, Sendable {
        case http
        case https

        var port: Int { self == .https ? 443 : 80 }
    }

    let scheme: Scheme
    /// Lower-case, without brackets.
    let host: String
    let port: Int

    init(scheme: Scheme, host: String, port: Int) {
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    /// Of an absolute http or https URL without user and password in it; nil for others.
    init?(_ url: URL) {
        guard let scheme = url.scheme.flatMap({ Scheme(rawValue: $0.lowercased()) }), let host = url.host(percentEncoded: true),
              !host.isEmpty, url.user == nil, url.password == nil else { return nil }
        let port = url.port ?? scheme.port
        let isPlain = host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "%") }
        guard (1...65535).contains(port), isPlain, !Self.isDisguised(host) else { return nil }
        self.init(scheme: scheme, host: Self.bare(host.lowercased()), port: port)
    }

    /// Whether the host is an IPv4 address in one of the old ways of writing them, such as 127.1 or 0x7f000001: nobody writes them
    /// but to pass for something else.
    private static func isDisguised(_ host: String) -> Bool {
        let labels = host.split(separator: ".")
        guard let last = labels.last, last.hasPrefix("0x") || last.utf8.allSatisfy({ "0123456789".utf8.contains($0) }) else { return false }
        return labels.count != 4 || host.split(separator: ".", omittingEmptySubsequences: false).count != 4
            || !labels.allSatisfy { label in UInt8(label).map { "\($0)" == label } ?? false }
    }

    private static func bare(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    /// `https://host:port`, the port left out where it is the scheme's.
    var description: String { "\(scheme.rawValue)://\(authority)" }

    /// HOST[:PORT] as in a URL.
    var authority: String {
        let shown = host.contains(":") ? "[\(host)]" : host
        return port == scheme.port ? shown : "\(shown):\(port)"
    }

    /// Whether only this machine or this link can be meant: addresses that a server elsewhere has no business to send us to.
    var isLocal: Bool {
        if host == "localhost" || host.hasSuffix(".localhost") || host == "::1" || host == "::" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        if numbers.count == 4, numbers.allSatisfy({ UInt8($0) != nil }) {
            return numbers[0] == "127" || numbers[0] == "0" || (numbers[0] == "169" && numbers[1] == "254")
        }
        return host.hasPrefix("fe80:") || host.hasPrefix("::ffff:")
    }
}

/// Characters of a URL that stand for themselves everywhere. Source: RFC 3986, section 2.3.
private func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
         UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
    default: false
    }
}

/// The text as a value in a query or a form.
func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
        if isUnreserved(byte) {
            bytes.append(byte)
        } else {
            bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// `name=value&…`, as a query or a form has it.
func formEncoded(_ fields: [(name: String, value: String)]) -> String {
    fields.map { "\(percentEncoded($0.name))=\(percentEncoded($0.value))" }.joined(separator: "&")
}
