import MachineProtocol

/// What makes the host's interface of a network. Pure.
struct BridgePlan {
    let network: Network

    /// A value of /proc/sys/net.
    struct Setting: Equatable {
        var path: String
        var value: String
        /// Whether the network works without it.
        var isOptional = false
    }

    /// For ip(8), once. The address is the same whatever interfaces come and go: guests remember it.
    var creation: [String] {
        let mac = NetworkDescription.mac(machine: network.identifier, index: 0).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return ["link add name \(network.bridge) address \(mac.joined(separator: ":")) type bridge forward_delay 0"]
    }

    /// For ip(8), also where some of it has been done.
    var completion: [String] {
        var lines = ["link set dev \(network.bridge) alias \"\(network.alias)\""]
        if let mtu = network.mtu { lines.append("link set dev \(network.bridge) mtu \(mtu)") }
        for part in network.subnets {
            // Nobody else is there yet who could have the address, and asking takes a second.
            let word = part.subnet.isVersion6 ? " nodad" : ""
            lines.append("addr replace \(part.gateway)/\(part.subnet.prefixLength) dev \(network.bridge)\(word)")
        }
        return lines + ["link set dev \(network.bridge) up"]
    }

    /// Before the addresses.
    var settings: [Setting] {
        let bridge = network.bridge
        var settings = [
            Setting(path: "ipv6/conf/\(bridge)/disable_ipv6", value: network.isVersion6 ? "0" : "1", isOptional: !network.isVersion6),
            // A guest is no router of the host's.
            Setting(path: "ipv6/conf/\(bridge)/accept_ra", value: "0", isOptional: true),
        ]
        // For published ports that are asked for at 127.0.0.1; see the chain `guard` of `Ruleset`.
        if network.version4 != nil { settings.append(Setting(path: "ipv4/conf/\(bridge)/route_localnet", value: "1")) }
        return settings
    }

    /// For ip(8): a container's interface becomes a port of the bridge.
    ///
    /// - Parameter isFiltered: whether the host's packet filters see frames within bridges (br_netfilter). Then those of a container to a
    ///   port of its own that is published leave by the port that they came in by.
    func attachment(_ interface: String, isFiltered: Bool) -> [String] {
        ["link set dev \(interface) mtu \(network.mtu ?? 1500) master \(network.bridge)"]
            + (isFiltered ? ["link set dev \(interface) type bridge_slave hairpin on"] : []) + ["link set dev \(interface) up"]
    }
}
