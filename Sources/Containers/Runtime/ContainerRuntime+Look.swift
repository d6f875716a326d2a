import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// A container and how it is.
public struct ContainerSnapshot: Sendable, Equatable {
    public var record: ContainerRecord
    /// nil: it has never been started.
    public var status: ContainerStatus?
    /// Its interfaces on networks of svmm's own; of a container that does not run, what it had last.
    public var networks: [NetworkEndpoint] = []

    public enum State: String, Sendable, CaseIterable {
        case created, starting, running, paused, stopping, exited
    }

    public var state: State {
        switch status?.state {
        case nil: .created
        case .starting: .starting
        case .running: .running
        case .paused: .paused
        case .stopping: .stopping
        case .exited: .exited
        }
    }

    public var isRunning: Bool { status.map { $0.state != .exited } ?? false }
}

extension ContainerRuntime {
    /// All containers, the newest first. Such as the store has only damaged records of are left out; `onDamage` hears of each.
    public func list(onDamage: @escaping @Sendable (ContainerError) -> Void = { _ in }) async throws(ContainerError) -> [ContainerSnapshot] {
        try await BlockingWork.run { () throws(ContainerError) in
            var snapshots: [ContainerSnapshot] = []
            for record in try store.database.all(onDamage: onDamage).reversed() {
                do throws(ContainerError) {
                    snapshots.append(ContainerSnapshot(record: record, status: try store.status(record.identifier), networks: try store.networks.endpoints(record)))
                } catch {
                    // Removed since the list was read.
                    guard error.kind == .notFound else { throw error }
                }
            }
            return snapshots
        }
    }

    public func inspect(_ container: String) async throws(ContainerError) -> ContainerSnapshot {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            return ContainerSnapshot(record: record, status: try store.status(record.identifier), networks: try store.networks.endpoints(record))
        }
    }

    /// Where a container's files are: see `ContainerFiles`.
    public func directory(_ record: ContainerRecord) -> String { store.paths(record.identifier).directory }

    /// Bytes of the disk that a container's files take.
    public func diskUsage(_ record: ContainerRecord) async -> UInt64 {
        let directory = directory(record)
        let sum = try? await BlockingWork.run { () throws(ContainerError) in
            let entries = (try? LinuxSystem.names(inDirectory: directory)) ?? []
            return entries.reduce(0 as UInt64) { $0 + ((try? fileAttributes(at: "\(directory)/\($1)"))?.blocks ?? 0) * 512 }
        }
        return sum ?? 0
    }

    /// Figures of a container that runs: as its own kernel counts them, and bytes of the host's memory that its machine takes.
    public func statistics(_ container: String) async throws(ContainerError) -> (AgentStatistics, residentBytes: UInt64) {
        try await BlockingWork.run { () throws(ContainerError) in
            let connection = try connect(try store.database.find(container))
            let answer = try connection.ask(.statistics)
            guard case .statistics(let statistics, let resident) = answer else { throw connection.unexpected(answer) }
            return (statistics, resident)
        }
    }

    /// The processes of a container that runs.
    public func processes(_ container: String) async throws(ContainerError) -> [ProcessEntry] {
        try await BlockingWork.run { () throws(ContainerError) in
            let connection = try connect(try store.database.find(container))
            let answer = try connection.ask(.processes)
            guard case .processes(let entries) = answer else { throw connection.unexpected(answer) }
            return entries
        }
    }

    /// Of all containers, damaged ones too: name, digest of the image's manifest, and name of its root file system. Blocks, briefly.
    ///
    /// - Parameter root: of the store; where there is none yet, there are no containers.
    public static func imageUse(root: String) throws(ContainerError) -> [(name: String, digest: String, root: String)] {
        guard (try? fileStatus(at: root + "/containers.sqlite")) != nil else { return [] }
        let store = try ContainerStore(root: root, runtime: defaultRuntimeDirectory)
        return try store.database.imageUse()
    }
}
