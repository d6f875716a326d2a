import LinuxSystem

/// A domain name (RFC 1035, 3.1): labels of 1 to 63 bytes, all in all at most 255 bytes of a message. Names that differ only in the case of
/// ASCII letters are equal (RFC 4343).
public struct DomainName: Hashable, Sendable {
    /// As in a message, without compression and in lower case: each label behind its length, and a zero.
    let bytes: [UInt8]
    /// 0: the root.
    let labelCount: Int

    static let longestLabel = 63
    static let longest = 255

    /// - Parameter labels: from the host's to the top.
    /// - Returns: nil where one of them, or all in all, is too long, or one is empty.
    init?(labels: some Sequence<ArraySlice<UInt8>>) {
        var bytes: [UInt8] = []
        var count = 0
        for label in labels {
            guard (1...Self.longestLabel).contains(label.count), bytes.count + label.count + 2 <= Self.longest else { return nil }
            bytes.append(UInt8(label.count))
            bytes += label.map(Self.lowercased)
            count += 1
        }
        self.init(checked: bytes + [0], labelCount: count)
    }

    /// Of bytes that are one in this form already.
    init(checked bytes: [UInt8], labelCount: Int) {
        (self.bytes, self.labelCount) = (bytes, labelCount)
    }

    /// As it is written, with or without a dot at the end; nil: no domain name.
    public init?(_ text: some StringProtocol) {
        var written = Array(text.utf8)[...]
        if written.last == UInt8(ascii: ".") { written.removeLast() }
        self.init(labels: written.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false))
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// From the host's to the top.
    var labels: [ArraySlice<UInt8>] {
        var labels: [ArraySlice<UInt8>] = []
        var place = 0
        while bytes[place] > 0 {
            let end = place + 1 + Int(bytes[place])
            labels.append(bytes[(place + 1)..<end])
            place = end
        }
        return labels
    }

    /// What stands before a domain's name; the root where it is that name itself, nil where it is not below it.
    func relative(to domain: DomainName) -> DomainName? {
        guard labelCount >= domain.labelCount else { return nil }
        var place = 0
        for _ in 0..<(labelCount - domain.labelCount) { place += 1 + Int(bytes[place]) }
        guard bytes[place...].elementsEqual(domain.bytes) else { return nil }
        return DomainName(checked: bytes[..<place] + [0], labelCount: labelCount - domain.labelCount)
    }

    /// This name below a domain; nil where that is too long.
    func below(_ domain: DomainName) -> DomainName? {
        guard bytes.count - 1 + domain.bytes.count <= Self.longest else { return nil }
        return DomainName(checked: bytes.dropLast() + domain.bytes, labelCount: labelCount + domain.labelCount)
    }
}

// Names that stand for addresses.
extension DomainName {
    private static let arpaV4 = [Array("in-addr".utf8), Array("arpa".utf8)]
    private static let arpaV6 = [Array("ip6".utf8), Array("arpa".utf8)]

    /// The address whose name is asked for by this one (RFC 1035, 3.5; RFC 3596, 2.5); nil where it is no such name.
    var reverseAddress: InternetAddress? {
        guard labelCount == 6 || labelCount == 34 else { return nil }
        let labels = labels
        let top = labels.suffix(2).map(Array.init)
        let parts = labels.dropLast(2).reversed()
        if labelCount == 6, top == Self.arpaV4 {
            let bytes = parts.compactMap(Self.decimalByte)
            return bytes.count == 4 ? InternetAddress(bytes: bytes) : nil
        }
        guard labelCount == 34, top == Self.arpaV6 else { return nil }
        let digits = parts.compactMap { $0.count == 1 ? Self.digit($0[$0.startIndex]) : nil }
        guard digits.count == 32 else { return nil }
        return InternetAddress(bytes: (0..<16).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] })
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    private static func decimalByte(_ label: ArraySlice<UInt8>) -> UInt8? {
        guard label.count <= 3, label.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) else { return nil }
        return UInt8(exactly: label.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) })
    }
}
