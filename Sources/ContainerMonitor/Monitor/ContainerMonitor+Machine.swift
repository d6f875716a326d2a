import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// How a machine has ended without being asked to.
public enum MachineEnd: Equatable, Sendable {
    case poweredOff
    /// A crash, a reboot, an error of KVM: what happened.
    case crashed(String)
}

/// The machine's way from one to the next.
extension ContainerMonitor {
    /// How long a machine may take to boot until its agent says hello: more than any does, also in a slow emulation.
    static let bootTime: UInt64 = .seconds(120)
    /// How long the agent may take for each step to the main process's start.
    static let stepTime: UInt64 = .seconds(120)
    /// How long the agent may take to unmount.
    static let leavingTime: UInt64 = .seconds(30)

    /// A machine runs. Before the loop does.
    public func machineHasStarted() {
        isMachineUp = true
        hasGreeted = false
        phase = .booting
        link?.open()
        // Asked for at the last moment, when the machine was about to be built.
        if stop.isEndWanted { return kill() }
        allow(Self.bootTime) { [unowned self] in
            breakDown("the guest's agent did not say hello within \(Self.bootTime / .seconds(1)) s of the start; see what the guest's kernel has printed")
        }
    }

    /// The guest runs no further. What it has sent may still be on its way.
    public func machineHasEnded(_ end: MachineEnd) {
        guard machineEnd == nil else { return }
        machineEnd = end
        // What the main process wrote may still be in the device's buffers.
        if case .draining = phase { return }
        endMachine()
    }

    /// Nothing is left of the machine.
    public func machineIsGone() {
        isMachineUp = false
        link?.end()
        if runEnd == nil { mainHasEnded(verdict ?? Self.verdict(on: machineEnd, isStopping: stop.isEndWanted, hasRun: hasRun)) }
        endOtherProcesses()
        switch phase {
        case .draining, .resting, .over: break
        default: goOn()
        }
    }

    /// The machine could not be built or started, or the monitor fails: this is the end.
    public func machineHasFailed(_ text: String) {
        if case .over = phase { return }
        isMachineUp = false
        if runEnd == nil { mainHasEnded(RunEnd(end: ProcessEnd(status: 125), failure: text, hasRun: hasRun)) }
        main?.closeStreams()
        endOtherProcesses()
        finish()
    }

    /// A signal for the monitor itself: the first asks the container to stop, another ends it.
    public func take(_ signal: Signal) {
        switch signal {
        case .windowChange, .hangUp: break
        case _ where isConcluding: endFarewell()
        case .terminate, .interrupt:
            if stop.isRequested { kill() } else { requestStop(after: nil) }
        case .quit: kill()
        }
    }

    /// Whether the main process of this machine has run.
    var hasRun: Bool {
        switch phase {
        case .running, .draining, .leaving: true
        case .ending: runEnd?.hasRun ?? (main?.hasStarted ?? false)
        default: false
        }
    }

    private static func verdict(on end: MachineEnd?, isStopping: Bool, hasRun: Bool) -> RunEnd {
        switch end {
        case .crashed(let text): RunEnd(end: ProcessEnd(status: 125), failure: "the virtual machine crashed: \(text)", hasRun: hasRun)
        case .poweredOff where !isStopping:
            RunEnd(end: ProcessEnd(status: 125), failure: "the virtual machine powered off by itself", hasRun: hasRun)
        case .poweredOff, nil: RunEnd(end: ProcessEnd(status: 137), hasRun: hasRun)
        }
    }

    /// Ends the container's run at once, because the guest cannot be relied on.
    func breakDown(_ text: String) {
        guard runEnd == nil else { return endMachine() }
        if verdict == nil { verdict = RunEnd(end: ProcessEnd(status: 125), failure: text, hasRun: hasRun) }
        endMachine()
    }

    /// Ends the main process with the machine.
    func kill() {
        if runEnd == nil, verdict == nil { verdict = RunEnd(end: ProcessEnd(status: 137), hasRun: hasRun) }
        wantEnd()
        if case .resting = phase { return finish() }
        endMachine()
    }

    /// The machine is wanted no more.
    func endMachine() {
        switch phase {
        case .ending, .resting, .over: return
        case .draining: break
        default:
            timers.cancel(&patience)
            phase = .ending
        }
        if isMachineUp { machine?.endMachine() }
    }

    /// All that the main process wrote has been taken, and who waited for it knows: the machine may go.
    func leave() {
        guard isMachineUp else { return goOn() }
        guard machineEnd == nil, needsUnmounting, let agent = link?.connection else {
            phase = .ending
            machine?.endMachine()
            return
        }
        phase = .leaving
        allow(Self.leavingTime) { [unowned self] in endMachine() }
        agent.send(.shutDown(syncs: true)) { [unowned self] result in
            // An agent that refuses is at it already, because of the power button: it then powers off, or is gone.
            if case .success = result { endMachine() }
        }
    }

    /// Whether anything that the container has written is to survive it.
    private var needsUnmounting: Bool {
        if restart.isDue || !container.isRemovedAtEnd { return true }
        return container.sandbox.mounts.contains { if case .temporary = $0.source { false } else { true } }
    }

    /// No machine is left: starts the next, or ends.
    private func goOn() {
        timers.cancel(&patience)
        guard restart.isDue, !stop.isEndWanted else { return finish() }
        rest()
    }

    /// Tells everybody, and lets the control loop end.
    func finish() {
        if case .over = phase { return }
        phase = .over
        timers.cancel(&patience)
        timers.cancel(&restart.timer)
        stop.cancelTimers(timers)
        let end = runEnd ?? RunEnd(end: ProcessEnd(status: 125), failure: "the container was not run", hasRun: false)
        runEnd = end
        tellWaiting(end)
        if stop.isRequested { events.add("stop") }
        machine?.finish(status: Int32(end.end.status), message: end.failure.isEmpty
            ? "the container ended with status \(end.end.status)" : "the container ended: \(end.failure)")
    }
}
