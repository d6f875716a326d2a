import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// A container and how it is.
public struct ContainerSnapshot: Sendable, Equatable {
    public var record: ContainerRecord
    /// nil: it has never been started.
    public var status: ContainerStatus?

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
    /// All containers, the newest first.
    public func list() async throws(ContainerError) -> [ContainerSnapshot] {
        try await BlockingWork.run { () throws(ContainerError) in
            var snapshots: [ContainerSnapshot] = []
            for record in try store.database.all().reversed() {
                do throws(ContainerError) {
                    snapshots.append(ContainerSnapshot(record: record, status: try store.status(record.identifier)))
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
            return ContainerSnapshot(record: record, status: try store.status(record.identifier))
        }
    }

    /// Where a container's files are: see `ContainerFiles`.
    public func directory(_ record: ContainerRecord) -> String { store.paths(record.identifier).directory }

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

    /// Names of the root file systems that containers use.
    public func usedRoots() async throws(ContainerError) -> [String] {
        try await BlockingWork.run { () throws(ContainerError) in try store.database.roots() }
    }
}
