import Networks

/// Where published ports lead. Pure.
enum PublishedPorts {
    /// The network that a container's published ports lead to: its first one that is reached from outside, or else its first.
    static func target(_ leases: [NetworkLease], _ networks: [Network]) -> (network: Network, lease: NetworkLease)? {
        let all = leases.sorted { $0.position < $1.position }.compactMap { lease in
            networks.first { $0.identifier == lease.network }.map { (network: $0, lease: lease) }
        }
        return all.first { !$0.network.isInternal } ?? all.first
    }

    static func publications(_ ports: [ContainerPort], to lease: NetworkLease) -> [Publication] {
        ports.map { port in
            Publication(address: port.address.flatMap { IPAddress($0) }, port: port.host, isStream: port.transport == .tcp,
                        targets: lease.addresses, targetPort: port.container)
        }
    }

    /// What plugins of CNI publish by IPv4, as most of them do.
    static func publicationsOfCNI(_ ports: [ContainerPort]) -> [Publication] {
        ports.map { port in
            Publication(address: IPAddress(port.address ?? "0.0.0.0"), port: port.host, isStream: port.transport == .tcp, targets: [],
                        targetPort: port.container)
        }
    }

    /// All rules: for each network on which containers run, what leads there.
    ///
    /// - Parameter ports: of a container, by its identifier.
    static func parts(_ leases: [NetworkLease], _ networks: [Network], ports: (String) -> [ContainerPort]) -> [Ruleset.Part] {
        let used = networks.filter { network in leases.contains { $0.network == network.identifier } }
        var parts = used.map { Ruleset.Part(network: $0, publications: []) }
        for (container, own) in Dictionary(grouping: leases, by: \.container).sorted(by: { $0.key < $1.key }) {
            guard let target = target(own, networks), let index = used.firstIndex(of: target.network) else { continue }
            parts[index].publications += publications(ports(container), to: target.lease)
        }
        return parts
    }
}
