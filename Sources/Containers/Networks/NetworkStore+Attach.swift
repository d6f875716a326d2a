import LinuxSystem
import MachineProtocol
import Networks

extension NetworkStore {
    /// Makes what a container's networks need of the host, and gives it addresses. For whoever holds the container, which has no monitor.
    /// Nothing is left of what could not be made as a whole.
    ///
    /// - Parameter records: of other containers, by their identifiers.
    func attach(
        _ record: ContainerRecord, records: (String) -> ContainerRecord?
    ) throws(ContainerError) -> AttachedNetworks {
        guard case .attached(let attachments) = record.configuration.network else { return AttachedNetworks() }
        // Before the lock, which is taken to make one.
        var networks: [String: Network] = [:]
        for case .network(let name) in attachments.map(\.kind) { networks[name] = try find(name) }
        let known = networks
        return try alone { () throws(ContainerError) in
            let database = try database()
            try undo(record.identifier, database)
            do throws(ContainerError) {
                return try make(record, attachments, known, database, records)
            } catch {
                try? undo(record.identifier, database)
                _ = try? database.release(record.identifier, isGone: false)
                // What cannot be done now, the next command does.
                try? refresh(database, records: records)
                throw error
            }
        }
    }

    private func make(
        _ record: ContainerRecord, _ attachments: [NetworkAttachment], _ networks: [String: Network], _ database: NetworkDatabase,
        _ records: (String) -> ContainerRecord?
    ) throws(ContainerError) -> AttachedNetworks {
        try database.dropOthers(record.identifier, keeping: attachments.map { networks[$0.place]?.identifier ?? $0.place })
        // Written down before anything is made, so that whoever finds it after a crash takes it away.
        var leases: [String: NetworkLease] = [:]
        for (position, attachment) in attachments.enumerated() {
            let mac = attachment.mac ?? NetworkDescription.mac(machine: record.identifier, index: position)
            if let network = networks[attachment.place] {
                leases[attachment.place] = try database.lease(attachment, on: network, container: record.identifier, position: position, mac: mac)
            } else {
                try database.put(NetworkLease(container: record.identifier, network: attachment.place, position: position, mac: mac,
                                              isActive: true, state: attachment.place))
            }
        }
        var attached = AttachedNetworks()
        let own = records(record.identifier) == nil ? [record.identifier: record] : [:]
        try checkPorts(record, database, records)
        attached.ports = try bindPorts(record, networks: Array(networks.values), Array(leases.values))
        for network in networks.values { try onNetworks { () throws(NetworkError) in try host.realize(network, note: Self.note) } }
        try refresh(database) { own[$0] ?? records($0) }
        for attachment in attachments {
            switch attachment.kind {
            case .network:
                guard let network = networks[attachment.place], let lease = leases[attachment.place] else { continue }
                attached.interfaces.append(try interface(attached.interfaces.count, network, lease))
            case .namespace(let path):
                attached.interfaces += try interfaces(attached.interfaces.count, ofNamespace: path)
            case .cni(let name):
                attached.interfaces += try addCNI(name, record, first: attached.interfaces.count, database)
            }
        }
        guard attached.interfaces.count <= ContainerNetwork.maximumAttachments else {
            throw .invalid("--network: \(attached.interfaces.count) interfaces in all, expected \(ContainerNetwork.maximumAttachments) at most")
        }
        return attached
    }

    private func interface(_ number: Int, _ network: Network, _ lease: NetworkLease) throws(ContainerError) -> AttachedNetworks.Interface {
        let tap = try onNetworks { () throws(NetworkError) in try host.attach(to: network) }
        let parts = [(network.version4, lease.address4), (network.version6, lease.address6)]
        let gateways = network.subnets.map(\.gateway)
        return AttachedNetworks.Interface(
            name: "eth\(number)", mac: lease.mac, mtu: network.mtu == 1500 ? nil : network.mtu,
            addresses: parts.compactMap { part, address in
                guard let part, let address else { return nil }
                return InterfaceAddress(address: address, prefixLength: part.subnet.prefixLength)
            },
            gateways: network.isInternal ? [] : gateways,
            nameServers: network.hasNames ? (gateways.filter { !$0.isVersion6 } + gateways.filter(\.isVersion6)).prefix(1).map { $0 } : [],
            host: network.version4?.gateway ?? network.version6?.gateway, reachesOutside: !network.isInternal, tap: tap)
    }

    func interfaces(_ first: Int, ofNamespace path: String) throws(ContainerError) -> [AttachedNetworks.Interface] {
        let found = try onNetworks { () throws(NetworkError) in try NetworkNamespace(path: path).attach() }
        return found.enumerated().map { index, interface in
            AttachedNetworks.Interface(
                name: "eth\(first + index)", mac: interface.mac, mtu: interface.mtu, addresses: interface.addresses, gateways: interface.gateways,
                nameServers: [], host: nil, reachesOutside: true, tap: interface.tap)
        }
    }

    // MARK: Ports

    /// Ports that containers which run have already.
    private func checkPorts(
        _ record: ContainerRecord, _ database: NetworkDatabase, _ records: (String) -> ContainerRecord?
    ) throws(ContainerError) {
        let own = record.configuration.ports
        guard !own.isEmpty else { return }
        for identifier in Set(try database.activeLeases().map(\.container)) where identifier != record.identifier {
            guard let other = records(identifier), let port = ContainerPort.firstConflict(other.configuration.ports + own) else { continue }
            throw .failed("--publish \(port.host):\(port.container): port \(port.host)/\(port.transport.rawValue) of the host leads to container \(other.name) already; choose another, or stop that one")
        }
    }

    /// Has the ports for the container, so that nobody else gets them and that it is known before anything starts.
    private func bindPorts(
        _ record: ContainerRecord, networks: [Network], _ leases: [NetworkLease]
    ) throws(ContainerError) -> [AttachedNetworks.BoundPort] {
        var result: [AttachedNetworks.BoundPort] = []
        // Without a network of svmm's own, a plugin of CNI publishes them.
        let lease = PublishedPorts.target(leases, networks)?.lease
        let ports = record.configuration.ports
        let publications = lease.map { PublishedPorts.publications(ports, to: $0) } ?? PublishedPorts.publicationsOfCNI(ports)
        for publication in publications {
            for address in publication.boundAddresses {
                do throws(Errno) {
                    result.append(AttachedNetworks.BoundPort(
                        try boundSocket(address: address.bytes, port: publication.port, isStream: publication.isStream)))
                } catch {
                    // A host without IPv6 has nothing there to be kept.
                    if publication.address == nil, address.isVersion6, error != .addressInUse { continue }
                    throw Self.refusal(publication, address, error)
                }
            }
        }
        return result
    }

    private static func refusal(_ publication: Publication, _ address: IPAddress, _ error: Errno) -> ContainerError {
        let port = "\(publication.port)/\(publication.isStream ? "tcp" : "udp")"
        let name = "--publish \(publication.port):\(publication.targetPort): port \(port) of the host at \(address)"
        return switch error {
        case .addressInUse: .failed("\(name) is in use, expected a free one; choose another, or end what has it (ss -lnp)")
        case .addressNotAvailable: .failed("\(name): no address of the host's, expected one that ip addr shows")
        default: .failed("\(name): \(error)")
        }
    }
}
