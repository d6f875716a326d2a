/// Addresses as text, read as inet_pton(3) does: programs that are handed one take nothing else.
public enum InternetAddress {
    /// Four bytes of dot-decimal text.
    public static func version4(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part -> UInt8? in
            // 010 is 8 for some programs, and 10 for others.
            guard part.utf8.allSatisfy({ (48...57).contains($0) }), part == "0" || !part.hasPrefix("0") else { return nil }
            return UInt8(part)
        }
        return parts.count == 4 && bytes.count == 4 ? bytes : nil
    }

    /// Whether the text is an IPv6 address, without a zone. Source: RFC 4291, section 2.2.
    public static func isVersion6(_ text: String) -> Bool {
        guard let gap = text.firstRange(of: "::") else { return groups(text[...], isEnd: true) == 8 }
        guard let before = groups(text[..<gap.lowerBound], isEnd: false),
              let after = groups(text[gap.upperBound...], isEnd: true) else { return false }
        // The gap is a group at least.
        return before + after < 8
    }

    /// How many groups of 16 bits the text has, an IPv4 address at the end being two; nil where it has something else.
    private static func groups(_ text: Substring, isEnd: Bool) -> Int? {
        guard !text.isEmpty else { return 0 }
        var count = 0
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if isEnd, index == parts.count - 1, version4(part) != nil {
                count += 2
            } else {
                let isGroup = part.utf8.allSatisfy { (48...57).contains($0) || (65...70).contains($0) || (97...102).contains($0) }
                guard isGroup, (1...4).contains(part.utf8.count) else { return nil }
                count += 1
            }
        }
        return count
    }
}
