import CommandSupport
import Containers
import Networks

extension ContainerNetwork {
    /// `--network none|user|NAME[:OPTION=VALUE,…]|ns:PATH|cni:NAME`, once or several times.
    static func parse(_ texts: [String]) throws(Expected) -> ContainerNetwork? {
        var attachments: [NetworkAttachment] = []
        var single: ContainerNetwork?
        for text in texts {
            switch text {
            case "none": single = ContainerNetwork.none
            case "user", "pasta", "slirp4netns", "private": single = .user
            case "host":
                throw Expected("none, user or the name of a network, found 'host': a container is a machine of its own, and has no part in the host's network")
            case "bridge": attachments.append(NetworkAttachment(place: NetworkName.standard))
            default: attachments.append(try NetworkAttachment(parsing: text))
            }
        }
        guard let single else { return attachments.isEmpty ? nil : .attached(attachments) }
        guard texts.count == 1 else { throw Expected("--network \(single.text) alone, or names of networks, found \(texts.joined(separator: " and "))") }
        return single
    }
}

extension NetworkAttachment {
    /// `NAME[:OPTION=VALUE,…]` with options ip, ip6, mac and alias; `ns:PATH`, `cni:NAME`.
    init(parsing text: String) throws(Expected) {
        if text.hasPrefix("ns:") || text.hasPrefix("cni:") {
            guard !text.hasSuffix(":") else { throw Expected("ns:PATH of a network namespace or cni:NAME of a network, found '\(text)'") }
            self.init(place: text)
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard NetworkName.isUsable(parts[0]), parts[0] != "container" else {
            throw Expected("none, user, NAME[:ip=…,ip6=…,mac=…,alias=…], ns:PATH or cni:NAME, found '\(text)'")
        }
        self.init(place: parts[0])
        guard parts.count == 2 else { return }
        for word in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
            let pair = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let value = pair.count == 2 ? pair[1] : ""
            switch pair[0] {
            case "ip" where value.contains(":"), "ip6": address6 = try Self.address(value, isVersion6: true, word)
            case "ip": address = try Self.address(value, isVersion6: false, word)
            case "mac": mac = try Self.mac(value)
            case "alias": aliases.append(try Self.alias(value))
            default: throw Expected("ip=, ip6=, mac= or alias= behind the network's name, found '\(word)' in '\(text)'")
            }
        }
    }

    private static func address(_ text: String, isVersion6: Bool, _ word: Substring) throws(Expected) -> IPAddress {
        guard let address = IPAddress(text), address.isVersion6 == isVersion6 else {
            throw Expected("an IPv\(isVersion6 ? 6 : 4) address, found '\(word)'")
        }
        return address
    }

    /// Six bytes.
    static func mac(_ text: String) throws(Expected) -> [UInt8] {
        guard let mac = MACAddress.bytes(text) else { throw Expected("an Ethernet address such as 02:00:00:00:00:01, found '\(text)'") }
        return mac
    }

    /// A name for others to ask for.
    static func alias(_ text: String) throws(Expected) -> String {
        let isName = text.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || "._-".utf8.contains(byte)
        }
        guard isName, (1...253).contains(text.utf8.count), text.first != ".", text.first != "-" else {
            throw Expected("a name of letters, digits, '-', '.' and '_', found alias '\(text)'")
        }
        return text
    }
}
