import Networks

/// A container's interface on a network.
public struct NetworkEndpoint: Sendable, Equatable {
    public var network: Network
    /// Of the container.
    public var container: String
    public var name: String
    /// Whether the container runs; otherwise the addresses are remembered for it.
    public var isActive: Bool
    /// The number of the guest's interface: 0 is eth0.
    public var position: Int
    public var address4: IPAddress?
    public var address6: IPAddress?
    /// Six bytes.
    public var mac: [UInt8]
    public var aliases: [String]
}

extension NetworkStore {
    func endpoints(_ record: ContainerRecord) throws(ContainerError) -> [NetworkEndpoint] {
        guard case .attached = record.configuration.network, let database = try databaseIfAny() else { return [] }
        return Self.endpoints(try database.leases(of: record.identifier), try database.networks()) { _ in record }
    }

    static func endpoints(_ leases: [NetworkLease], _ networks: [Network], _ records: (String) -> ContainerRecord?) -> [NetworkEndpoint] {
        leases.compactMap { lease in
            guard let network = networks.first(where: { $0.identifier == lease.network }), let record = records(lease.container),
                  case .attached(let attachments) = record.configuration.network else { return nil }
            return NetworkEndpoint(
                network: network, container: record.identifier, name: record.name, isActive: lease.isActive, position: lease.position,
                address4: lease.address4, address6: lease.address6, mac: lease.mac,
                aliases: attachments.first { $0.place == network.name }?.aliases ?? [])
        }
    }
}
