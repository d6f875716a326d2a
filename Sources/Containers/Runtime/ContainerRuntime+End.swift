import ContainerProtocol
import LinuxSystem

extension ContainerRuntime {
    /// Presses the power button: the process gets its stop signal, and is killed after the timeout. Returns when the container has ended and
    /// its monitor is gone; at once for one that is not running.
    ///
    /// - Parameter timeout: seconds; nil: the container's own.
    @discardableResult
    public func stop(_ container: String, timeout: UInt32? = nil) async throws(ContainerError) -> ContainerExit? {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            return try stop(record, timeout: timeout)
        }
    }

    private func stop(_ record: ContainerRecord, timeout: UInt32?) throws(ContainerError) -> ContainerExit? {
        try untilAnswered(record) { () throws(ContainerError) in
            guard let connection = try connectIfRunning(record) else { return .some(nil) }
            guard let exit = try awaitExit(connection, after: .stop(timeout: timeout)) else { return nil }
            connection.waitForEnd()
            return exit
        }
    }

    /// Tries until there is a result: a monitor may just be ending, or have had too many connections and ended this one.
    private func untilAnswered<Result>(
        _ record: ContainerRecord, _ attempt: () throws(ContainerError) -> Result?
    ) throws(ContainerError) -> Result {
        for _ in 0..<Self.attempts {
            if let result = try attempt() { return result }
            var nothing = PollSet(capacity: 0)
            nothing.wait(milliseconds: Self.pause)
        }
        throw .failed("container \(record.name): its monitor ends each connection without an answer")
    }

    private static let attempts = 100
    private static let pause: Int32 = 20

    /// Sends a signal to the main process.
    public func kill(_ container: String, signal: UInt8 = 9) async throws(ContainerError) {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            let connection = try connect(record)
            let answer = try connection.ask(.signal(signal))
            guard case .done = answer else { throw connection.unexpected(answer) }
        }
    }

    /// Waits for the end of a container, and of its monitor. Of one that is not running it is how it ended last.
    public func wait(_ container: String) async throws(ContainerError) -> ContainerExit {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            return try untilAnswered(record) { () throws(ContainerError) in
                if let connection = try connectIfRunning(record) {
                    guard let exit = try awaitExit(connection, after: .wait) else { return nil }
                    connection.waitForEnd()
                    return exit
                }
                guard let status = try store.status(record.identifier) else {
                    throw .wrongState("container \(record.name) has not been started")
                }
                // Started again meanwhile otherwise.
                guard status.state == .exited else { return nil }
                return ContainerExit(status: Int32(status.exitStatus), wasOutOfMemory: status.wasOutOfMemory)
            }
        }
    }

    /// Stops every process of the container where it is, or lets it go on.
    public func pause(_ container: String, _ isPaused: Bool) async throws(ContainerError) {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            let connection = try connect(record)
            let answer = try connection.ask(.pause(isPaused))
            guard case .done = answer else { throw connection.unexpected(answer) }
        }
    }

    /// Removes a container, also one whose record is damaged.
    ///
    /// - Parameters:
    ///   - isForced: also one that runs: its machine is ended at once.
    ///   - withVolumes: with its anonymous volumes; those of a temporary container go with it in any case.
    public func remove(_ container: String, isForced: Bool = false, withVolumes: Bool = false) async throws(ContainerError) {
        try await BlockingWork.run { () throws(ContainerError) in
            let container = try store.database.identity(container)
            let hold: ContainerStore.Hold
            do throws(ContainerError) {
                if isForced { try end(container) }
                hold = try store.hold(container.identifier)
            } catch {
                // Its directory is gone: the row is all that is left.
                guard error.kind == .notFound else { throw error }
                return try store.database.delete(container.identifier)
            }
            guard let lock = try store.monitorLock(hold) else {
                throw .wrongState("container \(container.name) is running; stop it first, or remove it with --force")
            }
            // The event says of a damaged one nothing that would be right.
            let record = try? store.database.record(container.identifier)
            _ = try? store.settledStatusOfStopped(container.identifier, hold)
            try store.remove(container.identifier, hold, withVolumes: withVolumes || record?.isTemporary == true)
            try? lock.unlock()
            if let record { store.note(.remove, record) }
        }
    }

    /// Ends a container that may be running, whatever its state.
    private func end(_ container: ContainerIdentity) throws(ContainerError) {
        guard let connection = try connectIfRunning(container) else { return }
        // Whatever it answers: it may have lost its mind.
        _ = try? awaitExit(connection, after: .stop(timeout: 0))
        connection.waitForEnd()
    }

    /// Removes a container that has ended, or is about to: waits for its monitor. For who promised to clean up.
    public func removeEnded(_ container: ContainerRecord) async throws(ContainerError) {
        try await BlockingWork.run { () throws(ContainerError) in
            guard let hold = try? store.hold(container.identifier) else { return }
            try store.waitForMonitor(hold)
            // Where it was killed.
            _ = try? store.settledStatusOfStopped(container.identifier, hold)
            try store.remove(container.identifier, hold, withVolumes: true)
            store.note(.remove, container)
        }
    }

    /// Gives a container another name.
    public func rename(_ container: String, to name: String) async throws(ContainerError) {
        try await BlockingWork.run { () throws(ContainerError) in
            try ContainerName.check(name)
            let record = try store.database.find(container)
            let hold = try store.hold(record.identifier)
            try store.database.rename(record.identifier, to: name)
            if let connection = try? MonitorConnection(to: hold.paths.socket, container: name) { _ = try connection.ask(.rename(name)) }
            var renamed = record
            renamed.name = name
            // Others may ask for it by its new name at once, or a little later.
            try? store.networks.refreshNames { try? store.database.record($0) }
            store.note(.rename, renamed, attributes: ["oldName": record.name])
        }
    }

    /// Asks for what is answered by the container's end; nil when the monitor is gone without an answer.
    private func awaitExit(_ connection: MonitorConnection, after message: ClientMessage) throws(ContainerError) -> ContainerExit? {
        // One that is just ending may have closed the connection already.
        try? connection.send(message)
        return switch try connection.receive() {
        case .exited(let status, let wasOutOfMemory)?: ContainerExit(status: Int32(status), wasOutOfMemory: wasOutOfMemory)
        case .failed(let status, let text)?: throw ContainerError(status: status, text)
        case nil: nil
        case let other?: throw connection.unexpected(other)
        }
    }
}
