import LinuxSystem

extension ContainerRuntime {
    /// To the monitor of a container that runs.
    func connect(_ record: ContainerRecord) throws(ContainerError) -> MonitorConnection {
        guard let connection = try connectIfRunning(record) else { throw .wrongState("container \(record.name) is not running") }
        return connection
    }

    /// nil when the container has no monitor. Waits for one that is just being started.
    func connectIfRunning(_ record: ContainerRecord) throws(ContainerError) -> MonitorConnection? {
        try connectIfRunning(record.identity)
    }

    func connectIfRunning(_ container: ContainerIdentity) throws(ContainerError) -> MonitorConnection? {
        let paths = store.paths(container.identifier)
        if let connection = try attempt(paths, container) { return connection }
        guard try hasMonitor(container.identifier) else { return nil }
        // It lives, and has no socket: not yet, or not any more.
        let runtime = store.runtime
        let changes = try onFile(runtime) { () throws(Errno) in
            let changes = try FileChanges()
            try changes.watch(runtime)
            return changes
        }
        var poll = PollSet(capacity: 1)
        poll.set(0, changes.raw, input: true)
        for _ in 0..<Self.startPatience {
            // Its directory comes first, then the socket in it.
            try? changes.watch(paths.runDirectory)
            if let connection = try attempt(paths, container) { return connection }
            guard try hasMonitor(container.identifier) else { return nil }
            poll.wait(milliseconds: 1000)
            changes.take()
        }
        throw .failed("container \(container.name): its monitor does not answer; see \(paths.monitorLog)")
    }

    /// Seconds that a monitor may take to make its socket.
    private static let startPatience = 30

    /// nil when nobody listens.
    private func attempt(_ paths: ContainerPaths, _ container: ContainerIdentity) throws(ContainerError) -> MonitorConnection? {
        do throws(ContainerError) {
            return try MonitorConnection(to: paths.socket, container: container.name)
        } catch {
            guard error.kind == .wrongState else { throw error }
            return nil
        }
    }

    /// Whether the container has a monitor, which may be about to make its socket, or to end.
    private func hasMonitor(_ identifier: String) throws(ContainerError) -> Bool {
        let hold = try store.hold(identifier)
        guard let lock = try store.monitorLock(hold) else { return true }
        try? lock.unlock()
        return false
    }
}
