import LinuxSystem
import Networks

/// A network and who is on it.
public struct NetworkSnapshot: Sendable, Equatable {
    public var network: Network
    /// Containers that run there.
    public var endpoints: [NetworkEndpoint]
    /// Names of all containers that are to be there when they run.
    public var users: [String]
}

extension ContainerRuntime {
    /// Makes a network; the host hears of it when a container runs on it. For root only.
    ///
    /// - Parameter unlessExisting: whether one of that name is no error, and stays as it is.
    public func createNetwork(_ request: NetworkRequest, unlessExisting: Bool = false) async throws(ContainerError) -> Network {
        try await BlockingWork.run { () throws(ContainerError) in
            try store.networks.create(request, unlessExisting: unlessExisting).network
        }
    }

    /// All networks, by name. Damaged records are left out; `onDamage` hears of each.
    public func networks(onDamage: @escaping @Sendable (ContainerError) -> Void = { _ in }) async throws(ContainerError) -> [NetworkSnapshot] {
        try await BlockingWork.run { () throws(ContainerError) in
            guard let database = try store.networks.databaseIfAny() else { return [] }
            let records = try store.database.all()
            return try snapshots(try database.networks(onDamage: onDamage), database, records)
        }
    }

    /// A network by its name, its identifier or the beginning of that.
    public func network(_ network: String) async throws(ContainerError) -> NetworkSnapshot {
        try await BlockingWork.run { () throws(ContainerError) in
            let found = try store.networks.find(network)
            guard let snapshot = try snapshots([found], try store.networks.database(), try store.database.all()).first else {
                throw ContainerError(.notFound, "\(network): removed meanwhile")
            }
            return snapshot
        }
    }

    private func snapshots(
        _ networks: [Network], _ database: NetworkDatabase, _ records: [ContainerRecord]
    ) throws(ContainerError) -> [NetworkSnapshot] {
        let leases = try database.activeLeases()
        return networks.map { network in
            let own = leases.filter { $0.network == network.identifier }
            return NetworkSnapshot(
                network: network, endpoints: NetworkStore.endpoints(own, [network]) { id in records.first { $0.identifier == id } },
                users: records.filter { record in
                    guard case .attached(let attachments) = record.configuration.network else { return false }
                    return attachments.contains { $0.place == network.name }
                }.map(\.name))
        }
    }

    /// Removes a network with the host's interface, also one whose record is damaged.
    ///
    /// - Parameter isForced: with the containers that are on it, or are to be, which end at once.
    public func removeNetwork(_ network: String, isForced: Bool = false) async throws(ContainerError) {
        let snapshot: NetworkSnapshot
        do throws(ContainerError) {
            snapshot = try await self.network(network)
        } catch {
            guard error.kind == .notFound else { throw error }
            guard try await isDamaged(network) else { throw error }
            return try await BlockingWork.run { () throws(ContainerError) in try store.networks.removeDamaged(network) }
        }
        guard isForced || snapshot.users.isEmpty else {
            throw .wrongState("network \(snapshot.network.name): containers \(snapshot.users.joined(separator: ", ")) are on it; remove them first, or all of it with --force")
        }
        for user in snapshot.users {
            do throws(ContainerError) {
                try await remove(user, isForced: true)
            } catch {
                if error.kind != .notFound { throw error }
            }
        }
        try await BlockingWork.run { () throws(ContainerError) in try store.networks.remove(snapshot.network) }
    }

    private func isDamaged(_ network: String) async throws(ContainerError) -> Bool {
        try await BlockingWork.run { () throws(ContainerError) in
            guard let database = try store.networks.databaseIfAny() else { return false }
            return try database.names().contains { $0.name == network || $0.identifier == network }
        }
    }
}
