import ContainerProtocol

/// When a container that has ended by itself is started again.
struct RestartState {
    let policy: RestartPolicy
    private(set) var isDue = false
    /// Nanoseconds to wait.
    private(set) var delay = RestartState.shortest
    private(set) var count: UInt32 = 0
    /// When the main process started, by the monotonic clock.
    var startTime: UInt64 = 0
    var timer: Timers.Token?

    private static let shortest: UInt64 = .milliseconds(100)
    private static let longest: UInt64 = .seconds(60)
    /// A container that has run for so long starts again as soon as it can.
    private static let goodTime: UInt64 = .seconds(10)

    init(_ policy: RestartPolicy) {
        self.policy = policy
    }

    /// Takes the end of a run.
    mutating func decide(_ run: ContainerMonitor.RunEnd, isStopped: Bool, now: UInt64) {
        // What cannot even start the first time is not going to.
        let isPossible = !isStopped && (run.hasRun || count > 0)
        isDue = isPossible && isWanted(after: run.end.status)
        guard isDue else { return }
        if run.hasRun, now >= startTime, now - startTime >= Self.goodTime {
            delay = Self.shortest
        } else if count > 0 {
            delay = min(delay * 2, Self.longest)
        }
    }

    private func isWanted(after status: UInt8) -> Bool {
        switch policy {
        case .never: false
        case .onFailure(let maximum): status != 0 && maximum.map { count < $0 } ?? true
        case .always, .unlessStopped: true
        }
    }

    mutating func begin() {
        count += 1
        isDue = false
    }
}

extension ContainerMonitor {
    /// Waits for the time of the next start.
    func rest() {
        phase = .resting
        status.state = .starting
        writeStatus()
        restart.timer = timers.after(restart.delay) { [unowned self] in
            restart.begin()
            status.restartCount = restart.count
            events.add("restart", ["count": "\(restart.count)"])
            (main, runEnd, verdict, machineEnd) = (nil, nil, nil, nil)
            (outOfMemoryCount, status.failure) = (0, "")
            phase = .preparing
            machine?.startMachine()
        }
    }
}
