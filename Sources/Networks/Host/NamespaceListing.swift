/// What ip(8) prints of the interfaces in a network namespace, read. Pure.
enum NamespaceListing {
    struct Interface: Equatable {
        var name: String
        /// Six bytes.
        var mac: [UInt8]
        var mtu: UInt16
        var addresses: [InterfaceAddress] = []
        var gateways: [IPAddress] = []
    }

    /// The Ethernet interfaces that have addresses which other hosts may use.
    ///
    /// - Parameters:
    ///   - links: of `ip -o link show`.
    ///   - addresses: of `ip -o addr show`.
    ///   - routes: of `ip -o route show default`, and of `ip -6 -o route show default`.
    static func interfaces(links: String, addresses: String, routes: String) -> [Interface] {
        var result = links.split(separator: "\n").compactMap(interface)
        for line in addresses.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            // 2: eth0    inet 10.1.2.3/24 brd 10.1.2.255 scope global eth0
            guard words.count > 3, words[2] == "inet" || words[2] == "inet6", value("scope", words) == "global",
                  let index = result.firstIndex(where: { $0.name == words[1] }) else { continue }
            let parts = words[3].split(separator: "/")
            guard parts.count == 2, let address = IPAddress(String(parts[0])), let length = UInt8(parts[1]) else { continue }
            result[index].addresses.append(InterfaceAddress(address: address, prefixLength: length))
        }
        for line in routes.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.first == "default", let gateway = value("via", words).flatMap({ IPAddress($0) }), let name = value("dev", words),
                  let index = result.firstIndex(where: { $0.name == name }) else { continue }
            result[index].gateways.append(gateway)
        }
        return result.filter { !$0.addresses.isEmpty }
    }

    /// 2: eth0@if5: <BROADCAST,UP> mtu 1500 qdisc noqueue … link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff
    private static func interface(_ line: Substring) -> Interface? {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count > 2, let name = words[1].dropLast().split(separator: "@").first, isPlain(name),
              let mtu = value("mtu", words).flatMap({ UInt16($0) }), let mac = value("link/ether", words).flatMap({ MACAddress.bytes($0) })
        else { return nil }
        return Interface(name: String(name), mac: mac, mtu: mtu)
    }

    private static func value(_ word: String, _ words: [Substring]) -> String? {
        words.firstIndex { $0 == word }.flatMap { $0 + 1 < words.count ? String(words[$0 + 1]) : nil }
    }

    /// Whether a name is one that ip(8) and tc(8) take for a word, and nothing else.
    private static func isPlain(_ name: Substring) -> Bool {
        (1...15).contains(name.utf8.count) && name.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || "._-".utf8.contains(byte)
        }
    }
}

/// An address of an interface, and how many of its bits its neighbours share.
public struct InterfaceAddress: Sendable, Equatable {
    public var address: IPAddress
    public var prefixLength: UInt8

    public init(address: IPAddress, prefixLength: UInt8) {
        self.address = address
        self.prefixLength = prefixLength
    }
}

/// Ethernet addresses as text.
public enum MACAddress {
    /// Six bytes of `02:00:00:00:00:01`.
    public static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part in part.utf8.count == 2 && part.first != "+" ? UInt8(part, radix: 16) : nil }
        return parts.count == 6 && bytes.count == 6 ? bytes : nil
    }

    public static func text(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}
