/// The rules of nftables for all networks on which containers run, as text for nft(8): a table of svmm's own, replaced as a whole. Pure.
///
/// The chains of other tables are heard as well: what one of them drops stays dropped.
public struct Ruleset: Sendable {
    /// A network and what leads into it.
    public struct Part: Sendable, Equatable {
        public var network: Network
        public var publications: [Publication]

        public init(network: Network, publications: [Publication]) {
            self.network = network
            self.publications = publications
        }
    }

    public let table: String
    public let parts: [Part]

    /// - Parameter table: letters, digits and `_`.
    public init(table: String, parts: [Part]) {
        self.table = table
        self.parts = parts
    }

    /// One transaction (nft(8), "atomic"): nobody sees the table without its rules. Without networks there is no table.
    public var script: String {
        // The first line makes the table where it is missing, so that it can always be deleted.
        let replacement = ["table inet \(table)", "delete table inet \(table)"]
        guard !parts.isEmpty else { return replacement.joined(separator: "\n") + "\n" }
        var lines = replacement + ["table inet \(table) {"]
        lines += chain("published", nil, open.flatMap(\.publications).flatMap(translation))
        lines += chain("published_on_host", nil, closed.flatMap(\.publications).flatMap(translation))
        lines += chain("prerouting", "type nat hook prerouting priority dstnat; policy accept;", ["fib daddr type local jump published"])
        // What the host's own processes connect to.
        lines += chain("output", "type nat hook output priority -100; policy accept;",
                       ["fib daddr type local jump published", "fib daddr type local jump published_on_host"])
        lines += chain("postrouting", "type nat hook postrouting priority srcnat; policy accept;", parts.flatMap(masquerades))
        // With route_localnet (see `BridgePlan`) a guest could send to the host's loopback interface otherwise.
        lines += chain("guard", "type filter hook prerouting priority raw; policy accept;",
                       parts.map { "iifname \"\($0.network.bridge)\" ip daddr 127.0.0.0/8 drop" })
        lines += chain("forward", "type filter hook forward priority filter; policy accept;", forwarding)
        return (lines + ["}"]).joined(separator: "\n") + "\n"
    }

    private var open: [Part] { parts.filter { !$0.network.isInternal } }
    private var closed: [Part] { parts.filter(\.network.isInternal) }

    private func chain(_ name: String, _ hook: String?, _ rules: [String]) -> [String] {
        ["  chain \(name) {"] + (hook.map { ["    \($0)"] } ?? []) + rules.map { "    \($0)" } + ["  }"]
    }

    private func translation(_ publication: Publication) -> [String] {
        publication.targets.compactMap { target in
            let isVersion6 = target.isVersion6
            var match: String
            switch publication.address {
            case nil: match = isVersion6 ? "meta nfproto ipv6 ip6 daddr != ::1" : "meta nfproto ipv4"
            case let address?:
                guard address.isVersion6 == isVersion6 else { return nil }
                // The unspecified address stands for all of its version.
                match = address.bytes.allSatisfy { $0 == 0 } ? (isVersion6 ? "meta nfproto ipv6 ip6 daddr != ::1" : "meta nfproto ipv4")
                    : "\(isVersion6 ? "ip6" : "ip") daddr \(address)"
            }
            match += " \(publication.transport) dport \(publication.port)"
            return isVersion6 ? "\(match) dnat ip6 to [\(target)]:\(publication.targetPort)" : "\(match) dnat ip to \(target):\(publication.targetPort)"
        }
    }

    private func masquerades(_ part: Part) -> [String] {
        let bridge = part.network.bridge
        // The host's own connections from its loopback interface get an address that the guest can answer.
        var rules = part.network.version4 == nil ? [] : ["oifname \"\(bridge)\" ip saddr 127.0.0.0/8 masquerade"]
        for subnet in part.network.subnets.map(\.subnet) {
            let (family, multicast) = subnet.isVersion6 ? ("ip6", "ff00::/8") : ("ip", "224.0.0.0/4")
            // From a container to a published port of its own network, by way of the host: the answers must come back that way.
            rules.append("\(family) saddr \(subnet) \(family) daddr \(subnet) ct status dnat masquerade")
            guard !part.network.isInternal else { continue }
            rules.append("\(family) saddr \(subnet) oifname != \"\(bridge)\" \(family) daddr != \(multicast) masquerade")
        }
        return rules
    }

    private var forwarding: [String] {
        func names(_ parts: [Part]) -> String { "{ " + parts.map { "\"\($0.network.bridge)\"" }.joined(separator: ", ") + " }" }
        var rules = parts.map { "iifname \"\($0.network.bridge)\" oifname \"\($0.network.bridge)\" accept" }
        if !closed.isEmpty { rules += ["iifname \(names(closed)) drop", "oifname \(names(closed)) drop"] }
        // Whoever reaches a published port reaches it from another network, too.
        rules += ["ct state established,related accept", "ct status dnat accept"]
        if parts.count > 1 { rules.append("iifname \(names(parts)) oifname \(names(parts)) drop") }
        return rules
    }
}
