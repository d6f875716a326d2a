extension NetworkHost {
    /// Makes what a network needs of the host, or completes it. Nobody else does so for the same network at the same time.
    ///
    /// - Parameter note: hears, in a line for the user, of what is changed for the whole host.
    public func realize(_ network: Network, note: (String) -> Void) throws(NetworkError) {
        let plan = BridgePlan(network: network)
        let what = "network \(network.name)"
        if let link = try link(network.bridge) {
            try check(link, network)
        } else {
            let routes = try routes()
            for part in network.subnets {
                guard let route = routes.first(where: { $0.overlaps(part.subnet) }) else { continue }
                throw NetworkError("\(what): \(part.subnet) overlaps with \(route), which the host uses or has a route to; make the network again with another --subnet")
            }
            try ip(plan.creation, for: what)
        }
        for setting in plan.settings where self.setting(setting.path) != setting.value {
            do throws(NetworkError) {
                try set(setting.path, setting.value)
            } catch {
                if !setting.isOptional { throw error }
            }
        }
        try ip(plan.completion, for: what)
        if !network.isInternal { try forward(network, note: note) }
    }

    private func check(_ link: HostLink, _ network: Network) throws(NetworkError) {
        // One without a word is of a process that was killed between its making and its marking.
        guard link.isBridge, link.alias.isEmpty || link.alias == network.alias else {
            throw NetworkError("""
                network \(network.name): the host has an interface \(network.bridge) that is not svmm's\
                \(link.alias.isEmpty ? "" : " ('\(link.alias)')"), expected none of that name; remove it (ip link del \(network.bridge))
                """)
        }
    }

    /// Has the host pass packets between its interfaces, as far as it does not yet.
    private func forward(_ network: Network, note: (String) -> Void) throws(NetworkError) {
        if network.version4 != nil, setting("ipv4/ip_forward") != "1" {
            try set("ipv4/ip_forward", "1")
            note("network \(network.name): the host forwards IPv4 packets from now on (net.ipv4.ip_forward=1)")
        }
        if network.isVersion6, setting("ipv6/conf/all/forwarding") != "1" {
            // A host that forwards does not hear routers any more, and would lose its own default route.
            for interface in version6Interfaces() where setting("ipv6/conf/\(interface)/accept_ra") == "1" {
                try set("ipv6/conf/\(interface)/accept_ra", "2")
            }
            try set("ipv6/conf/all/forwarding", "1")
            note("network \(network.name): the host forwards IPv6 packets from now on (net.ipv6.conf.all.forwarding=1)")
        }
    }

    /// Removes the host's interface of a network; nothing happens where it is not there, or not svmm's.
    public func remove(_ network: Network) throws(NetworkError) { try remove(identifier: network.identifier, name: network.name) }

    /// As `remove`, of a network of which no more is known.
    public func remove(identifier: String, name: String) throws(NetworkError) {
        let (bridge, alias) = (Network.bridge(identifier), Network.alias(name))
        guard let link = try link(bridge), link.isBridge, link.alias.isEmpty || link.alias == alias else { return }
        try ip(["link del dev \(bridge)"], for: "network \(name)")
    }

    /// A container's interface on a network that is there.
    public func attach(to network: Network) throws(NetworkError) -> HostTap {
        let tap = try makeTap()
        // The guest's packets are not the host's to answer on it.
        try? set("ipv6/conf/\(tap.name)/disable_ipv6", "1")
        let isFiltered = setting("bridge/bridge-nf-call-iptables") == "1" || setting("bridge/bridge-nf-call-ip6tables") == "1"
        try ip(BridgePlan(network: network).attachment(tap.name, isFiltered: isFiltered), for: "network \(network.name)")
        return tap
    }
}
