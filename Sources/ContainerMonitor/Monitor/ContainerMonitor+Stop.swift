import AgentProtocol
import ContainerProtocol

/// How far the container's end on request is.
struct StopState {
    var isRequested = false
    /// Whether the container is not to be started again: also after a signal that says so.
    fileprivate(set) var isEndWanted = false
    /// Seconds, for a main process that is just being started.
    fileprivate var postponed: UInt32?
    /// When the main process gets SIGKILL, and when the machine is killed.
    fileprivate var processTimer: Timers.Token?
    fileprivate var machineTimer: Timers.Token?
    fileprivate var stallTimer: Timers.Token?
    /// When the machine timer is due.
    private var deadline: UInt64?

    /// Has the machine timer do this after so many nanoseconds, unless it is due before; whether it is.
    @discardableResult
    fileprivate mutating func end(_ nanoseconds: UInt64, _ timers: Timers, _ body: @escaping () -> Void) -> Bool {
        let time = timers.now &+ nanoseconds
        if machineTimer != nil, let deadline, deadline <= time { return false }
        timers.cancel(&machineTimer)
        machineTimer = timers.after(nanoseconds, body)
        deadline = time
        return true
    }

    mutating func cancelTimers(_ timers: Timers) {
        deadline = nil
        timers.cancel(&processTimer)
        timers.cancel(&machineTimer)
        timers.cancel(&stallTimer)
    }
}

extension ContainerMonitor {
    private static let killSignal: UInt8 = 9
    /// Time beyond the container's own, in which the guest has to have done what it was asked: for SIGKILL, then for the machine.
    private static let processSlack: UInt64 = .seconds(2)
    private static let machineSlack: UInt64 = .seconds(6)
    private static let stallTime: UInt64 = .seconds(2)

    /// Has the container end: the stop signal, SIGKILL so many seconds later, the machine's end when that does not help either.
    ///
    /// - Parameter timeout: seconds; nil: the container's own.
    func requestStop(after timeout: UInt32?) {
        let seconds = timeout ?? container.stopTimeout
        let isFirst = !stop.isRequested
        stop.isRequested = true
        wantEnd()
        switch phase {
        case .preparing, .booting, .settingUp, .ready:
            if verdict == nil {
                verdict = RunEnd(end: ProcessEnd(status: 143), failure: "it was stopped before its process started", hasRun: false)
            }
            endMachine()
        case .starting:
            stop.postponed = min(seconds, stop.postponed ?? .max)
            stop.end(.seconds(UInt64(seconds)) + Self.machineSlack, timers) { [unowned self] in kill() }
        case .running:
            if isFirst {
                status.state = .stopping
                writeStatus()
            }
            stopMain(after: seconds, isFirst: isFirst)
        case .resting: finish()
        case .draining: limitDrain(to: seconds)
        case .leaving, .ending, .over: break
        }
    }

    /// What the main process wrote is waited for no longer than this, whoever sends or takes it, and however slowly.
    func limitDrain(to seconds: UInt32) {
        stop.end(.seconds(UInt64(seconds)) + Self.machineSlack, timers) { [unowned self] in
            if case .draining = phase { main?.closeStreams() }
        }
    }

    /// A user wants the container's end.
    func wantEnd() {
        stop.isEndWanted = true
        status.wasStopped = true
    }

    /// The main process runs: what was asked before is done now.
    func stopIfPostponed() {
        guard let seconds = stop.postponed else { return }
        stop.postponed = nil
        stop.cancelTimers(timers)
        stopMain(after: seconds, isFirst: true)
    }

    private func stopMain(after seconds: UInt32, isFirst: Bool) {
        endHealthChecks()
        // Frozen processes take no signal.
        if isPaused { ask(.freeze(false)) { _ in } }
        isPaused = false
        let time = UInt64.seconds(UInt64(seconds))
        // The guest knows the container's own time, and keeps to it by itself.
        let isOwnTime = UInt64(container.sandbox.stopGrace) == UInt64(seconds) * 1000
        let signal = container.sandbox.stopSignal
        if isFirst { events.add("kill", ["signal": "\(signal)"]) }
        let hasButton = isFirst && isOwnTime && (machine?.pressPowerButton() ?? false)
        if isFirst, !hasButton, seconds > 0 { ask(.signal(process: 0, signal: signal)) { _ in } }
        // A later request makes it no later.
        let isSooner = stop.end(time + Self.machineSlack, timers) { [unowned self] in kill() }
        guard isSooner || stop.processTimer == nil else { return }
        timers.cancel(&stop.processTimer)
        stop.processTimer = timers.after(hasButton ? time + Self.processSlack : time) { [unowned self] in
            ask(.signal(process: 0, signal: Self.killSignal)) { _ in }
        }
        timers.cancel(&stop.stallTimer)
        dropStalled(since: progress)
    }

    /// The end of a process is not told before what it wrote is taken: clients that do not read at all do not keep it from that.
    private func dropStalled(since before: UInt64) {
        stop.stallTimer = timers.after(Self.stallTime) { [unowned self] in
            let now = progress
            if now == before { for client in stalledClients { client.end() } }
            dropStalled(since: now)
        }
    }
}
