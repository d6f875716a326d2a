/// What the kernel and ip(8) print, read. Pure.
enum RouteTable {
    /// The destinations in /proc/net/route, default routes left out: Linux's fib_trie.c.
    static func version4(_ text: String) -> [Subnet] {
        text.split(separator: "\n").dropFirst().compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count > 7, let destination = UInt32(words[1], radix: 16), let mask = UInt32(words[7], radix: 16), mask != 0 else { return nil }
            // As they lie in memory.
            let bytes = (0..<4).map { UInt8(truncatingIfNeeded: destination >> UInt32(8 * $0)) }
            return IPAddress(bytes: bytes).flatMap { Subnet($0, prefixLength: UInt8(mask.nonzeroBitCount)) }
        }
    }

    /// The destinations in /proc/net/ipv6_route: Linux's ipv6/route.c. Link-local and multicast ones are on every interface.
    static func version6(_ text: String) -> [Subnet] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count >= 10, words[0].utf8.count == 32, let length = UInt8(words[1], radix: 16), length > 0 else { return nil }
            let digits = Array(words[0])
            let bytes = stride(from: 0, to: 32, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
            guard bytes.count == 16, bytes[0] != 0xFF, bytes[0] != 0xFE || bytes[1] & 0xC0 != 0x80 else { return nil }
            return IPAddress(bytes: bytes).flatMap { Subnet($0, prefixLength: length) }
        }
    }
}

enum LinkListing {
    /// A line of `ip -o -d link show`.
    static func link(_ text: String) -> HostLink {
        let isBridge = text.contains(" bridge forward_delay ")
        guard let start = text.lastRange(of: " alias ") else { return HostLink(isBridge: isBridge, alias: "") }
        let rest = text[start.upperBound...].prefix { !$0.isNewline && $0 != "\\" }
        return HostLink(isBridge: isBridge, alias: String(rest).trimmed)
    }
}

extension StringProtocol {
    fileprivate func lastRange(of word: String) -> Range<Index>? { ranges(of: word).last }
}

extension String {
    var trimmed: String {
        var text = self[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text.drop(while: \.isWhitespace))
    }
}
