import LinuxSystem
import Networks

extension NetworkStore {
    /// Takes back what a container has on its networks. For whoever holds the container, which has no monitor.
    ///
    /// - Parameters:
    ///   - isGone: whether it never runs again.
    ///   - records: of containers, by their identifiers.
    func release(_ container: String, isGone: Bool, records: (String) -> ContainerRecord?) throws(ContainerError) {
        guard let database = try databaseIfAny(), try !database.leases(of: container).isEmpty else { return }
        try alone { () throws(ContainerError) in
            try undo(container, database)
            guard try database.release(container, isGone: isGone) else { return }
            // What the host refuses, the next command tries again; the container is gone all the same.
            try? refresh(database, records: records)
        }
    }

    /// Containers that are taken to run.
    func holders() throws(ContainerError) -> [String] {
        guard let database = try databaseIfAny() else { return [] }
        return Set(try database.activeLeases().map(\.container)).sorted()
    }

    /// Takes back what a container has whose monitor was killed; the host hears of it by `complete`. For whoever holds the container, which
    /// has no monitor, or when it is gone.
    func releaseLost(_ container: String, isGone: Bool) throws(ContainerError) {
        try alone { () throws(ContainerError) in
            let database = try database()
            try undo(container, database)
            try database.release(container, isGone: isGone)
        }
    }

    /// Completes what somebody who was killed had begun. Costs little where there is nothing to do, and nothing where somebody is at work.
    func complete(records: (String) -> ContainerRecord?) throws(ContainerError) {
        guard let database = try databaseIfAny(), try database.fact(NetworkDatabase.stale) == "1" else { return }
        try ifAlone { () throws(ContainerError) in try refresh(database, records: records) }
    }

    /// Has the host, and name servers, know what the leases say. For who is alone.
    func refresh(_ database: NetworkDatabase, records: (String) -> ContainerRecord?) throws(ContainerError) {
        let networks = try database.networks()
        let leases = try database.activeLeases().filter { lease in networks.contains { $0.identifier == lease.network } }
        let parts = PublishedPorts.parts(leases, networks) { records($0)?.configuration.ports ?? [] }
        let script = Ruleset(table: table, parts: parts).script
        try onNetworks { () throws(NetworkError) in try host.nft(script, for: "the rules of networks") }
        try writeNames(networks, leases, records)
        try database.setFact(NetworkDatabase.stale, "0")
    }

    /// Containers have other names.
    func refreshNames(records: (String) -> ContainerRecord?) throws(ContainerError) {
        guard let database = try databaseIfAny() else { return }
        try alone { () throws(ContainerError) in try writeNames(try database.networks(), try database.activeLeases(), records) }
    }

    /// Undoes what was done for a container outside svmm's own networks. What a plugin cannot undo is said, and stays.
    func undo(_ container: String, _ database: NetworkDatabase) throws(ContainerError) {
        for lease in try database.leases(of: container) where lease.isActive && !lease.state.isEmpty {
            switch NetworkAttachment(place: lease.network).kind {
            case .network: continue
            case .namespace(let path): NetworkNamespace(path: path).detach()
            case .cni(let name):
                do throws(ContainerError) {
                    try deleteCNI(name, lease)
                } catch {
                    Self.note("network cni:\(name) of container \(ContainerIdentifier.short(container)): \(error)")
                }
            }
        }
    }
}
