import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// The main process.
extension ContainerMonitor {
    /// Starts it when all is set up, or about to be, and the first client has said what it wants, or is gone.
    func startIfWanted() {
        guard phase.allowsStart, hasFirstClientSpoken, let link else { return }
        let hasTerminal = container.process.terminal != nil
        let output: GuestStream
        var errors: GuestStream?
        do throws(ContainerError) {
            output = try link.makeStream()
            if !hasTerminal { errors = try link.makeStream() }
        } catch {
            return cannotStart(AgentFailure(.failed, "\(error)"))
        }
        let main = GuestProcess(number: 0, hasTerminal: hasTerminal, output: output, errors: errors)
        self.main = main
        if let log { main.add(log) }
        output.gotRoom = { [unowned self] in proceedClients() }
        var process = container.process
        process.streams = ProcessConfiguration.Streams(input: output.token, errors: errors?.token ?? 0, hasInput: container.hasInput)
        phase = .starting
        // Asked for before the answer to the other: that begins it.
        if isSetUp { limitStep() }
        ask(.start(process)) { [unowned self] failure in
            guard case .starting = phase else { return }
            if let failure { return cannotStart(failure) }
            mainHasStarted(main)
        }
    }

    private func mainHasStarted(_ main: GuestProcess) {
        timers.cancel(&patience)
        phase = .running
        status.state = stop.isRequested ? .stopping : .running
        status.startTime = timers.realTime
        status.endTime = 0
        status.exitStatus = 0
        status.wasOutOfMemory = false
        restart.startTime = timers.now
        beginHealthChecks()
        writeStatus()
        events.add("start")
        for client in clients {
            guard case .waitingForStart(let streams) = client.activity else { continue }
            if let streams { attach(client, to: main, streams) } else { client.finish(with: .started) }
        }
        main.isDone = { [unowned self] in mainIsDrained() }
        main.start()
        stopIfPostponed()
        _ = timers.after(Self.settlingTime) { CurrentProcess.releaseStartUpCode() }
    }

    /// After a start: then the code that only a start needs is no longer part of the process. A process that ends earlier saves that.
    private static let settlingTime: UInt64 = .seconds(1)

    /// The agent works, but the process does not run.
    func cannotStart(_ failure: AgentFailure) {
        guard runEnd == nil else { return }
        main?.closeStreams()
        mainHasEnded(RunEnd(end: ProcessEnd(status: failure.status), failure: Text.line(failure.text), hasRun: false))
    }

    /// The main process has ended, one way or the other; or will never run.
    func mainHasEnded(_ end: RunEnd) {
        guard runEnd == nil else { return }
        runEnd = end
        endHealthChecks()
        stop.cancelTimers(timers)
        status.state = .stopping
        status.endTime = timers.realTime
        status.exitStatus = end.end.status
        status.wasOutOfMemory = end.end.wasOutOfMemory
        status.failure = end.failure
        isPaused = false
        writeStatus()
        phase = .draining
        guard end.hasRun, let main else { return mainIsDrained() }
        if stop.isRequested { limitDrain(to: container.stopTimeout) }
        waitForDrain(since: progress, idleFor: 0)
        main.hasEnded(end.end)
    }

    /// Periods in which those that take what the main process wrote may do nothing at all when the end waits for them.
    private static let idlePeriods = 10
    private static let idlePeriod: UInt64 = .seconds(1)

    /// Gives those who read the rest their time; whoever does nothing at all is dropped, and then the rest is.
    private func waitForDrain(since before: UInt64, idleFor periods: Int) {
        allow(Self.idlePeriod) { [unowned self] in
            let now = progress
            guard now == before else { return waitForDrain(since: now, idleFor: 0) }
            let stalled = stalledClients
            // A guest that runs no further sends no more, and no ends of streams either.
            let isPatient = machineEnd == nil || !stalled.isEmpty
            if isPatient, periods + 1 < Self.idlePeriods { return waitForDrain(since: now, idleFor: periods + 1) }
            if stalled.isEmpty { main?.closeStreams() }
            for client in stalled { client.end() }
            if !stalled.isEmpty { waitForDrain(since: progress, idleFor: 0) }
        }
    }

    /// Those that the main process has to wait for.
    var stalledClients: [ClientConnection] { main?.sinks.compactMap { $0 as? ClientConnection }.filter(\.isFull) ?? [] }

    /// Grows when a client reads, or a process's output is taken.
    var progress: UInt64 { clients.reduce(main?.takenCount ?? 0) { $0 &+ $1.sentCount } }

    /// All that it wrote has been taken.
    private func mainIsDrained() {
        guard case .draining = phase, let runEnd else { return }
        timers.cancel(&patience)
        stop.cancelTimers(timers)
        log?.finish()
        restart.decide(runEnd, isStopped: stop.isEndWanted, now: timers.now)
        if runEnd.hasRun {
            events.add("die", ["exitCode": "\(runEnd.end.status)", "oom": "\(runEnd.end.wasOutOfMemory)", "error": runEnd.failure])
        }
        if let main { tellAttached(main, runEnd) }
        if !restart.isDue { tellWaiting(runEnd) }
        leave()
    }
}

extension ContainerMonitor.Phase {
    fileprivate var allowsStart: Bool {
        switch self {
        case .settingUp, .ready: true
        default: false
        }
    }

    /// Whether a machine is up that does not run the main process yet.
    var isBeforeStart: Bool {
        if case .starting = self { true } else { allowsStart }
    }
}
