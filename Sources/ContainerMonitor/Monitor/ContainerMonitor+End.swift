import ContainerProtocol
import LinuxSystem

/// The monitor's last steps, when the machine and all that was prepared for it are gone.
extension ContainerMonitor {
    /// How long clients that do not read at all keep the monitor from its end.
    private static let farewellTime: UInt64 = .seconds(10)
    /// And clients that read, however slowly.
    private static let longestFarewell: UInt64 = .seconds(300)

    /// Writes down the end, gives clients their last messages, gives up the lock, and then ends the connections: whoever sees the end of a
    /// connection finds the container free.
    ///
    /// - Returns: program and arguments that this process has to become; empty: none.
    public func conclude() -> [String] {
        if runEnd == nil || !phase.isOver { machineHasFailed("the container's monitor ended early") }
        status.state = .exited
        writeStatus(isDurable: !container.isRemovedAtEnd)
        closeSockets()
        main?.closeStreams()
        isConcluding = true
        waitForClients(since: progress)
        var last: Timers.Token? = timers.after(Self.longestFarewell) { [unowned self] in endFarewell() }
        while isConcluding, clients.contains(where: \.hasUnsent) { loop.run() }
        isConcluding = false
        timers.cancel(&patience)
        timers.cancel(&last)
        let isPromised = isCleanupPromised
        releaseLock()
        for client in clients { client.end() }
        return isPromised ? [] : container.cleanup
    }

    /// Nobody can connect any more, neither clients nor the guest. Those who are connected stay.
    public func closeSockets() {
        acceptor?.close()
        link?.close()
    }

    /// The container's exit status.
    public var exitStatus: Int32 { Int32(status.exitStatus) }

    /// A client has read everything, or is gone: at the very end that may be what is waited for.
    func noteProgress() {
        if isConcluding, !clients.contains(where: \.hasUnsent) { loop.stop() }
    }

    private func waitForClients(since before: UInt64) {
        allow(Self.farewellTime) { [unowned self] in
            let now = progress
            guard now == before else { return waitForClients(since: now) }
            endFarewell()
        }
    }

    /// Whoever has not read everything by now does not get it.
    func endFarewell() {
        isConcluding = false
        loop.stop()
    }
}

extension ContainerMonitor.Phase {
    fileprivate var isOver: Bool { if case .over = self { true } else { false } }
}
