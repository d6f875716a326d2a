import Networks

/// Networks of the host's CNI plugins.
extension NetworkStore {
    /// Has the plugins make a network namespace for the container, and puts it there.
    func addCNI(_ name: String, _ record: ContainerRecord, first: Int, _ database: NetworkDatabase) throws(ContainerError) -> [AttachedNetworks.Interface] {
        let place = "cni:\(name)"
        guard var lease = try database.leases(of: record.identifier).first(where: { $0.network == place }) else { return [] }
        var attachment = try onNetworks { () throws(NetworkError) in
            try CNIAttachment(network: name, identifier: record.identifier, namespace: "svmm-\(record.shortIdentifier)-\(lease.position)",
                              ports: Self.portsOfCNI(record, place))
        }
        // What there is to undo is known before it is done, and again with what the plugins said.
        lease.state = attachment.saved
        try database.put(lease)
        try onNetworks { () throws(NetworkError) in try attachment.add() }
        lease.state = attachment.saved
        try database.put(lease)
        var interfaces = try interfaces(first, ofNamespace: attachment.path)
        for index in interfaces.indices {
            interfaces[index].nameServers = Array(attachment.nameServers.prefix(3))
            interfaces[index].host = interfaces[index].gateways.first
        }
        return interfaces
    }

    /// Published ports are those of svmm's own networks where the container is on one, or else of the first of CNI's.
    static func portsOfCNI(_ record: ContainerRecord, _ place: String) -> [CNIPort] {
        guard case .attached(let attachments) = record.configuration.network,
              !attachments.contains(where: { if case .network = $0.kind { true } else { false } }),
              attachments.first(where: { $0.place.hasPrefix("cni:") })?.place == place else { return [] }
        return record.configuration.ports.map { port in
            CNIPort(address: port.address, host: port.host, container: port.container, transport: port.transport.rawValue)
        }
    }

    func deleteCNI(_ name: String, _ lease: NetworkLease) throws(ContainerError) {
        // It had not come to the plugins yet.
        guard let attachment = CNIAttachment(saved: lease.state) else { return }
        try onNetworks { () throws(NetworkError) in try attachment.delete() }
    }
}
