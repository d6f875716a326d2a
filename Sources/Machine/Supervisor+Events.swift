import LinuxSystem
import MachineProtocol
import Synchronization

extension Supervisor {
    /// How long a guest that has reported a panic may take over its last words: two seconds.
    private static let panicTime: UInt64 = 2_000_000_000

    /// Handles signals, keys and timers on the control loop from now on.
    func watchEvents() throws(MachineError) {
        try Self.setUp { () throws(Errno) in
            _ = try loop.watch(signals.raw, for: .readable) { [unowned self] _ in
                while let signal = signals.next() { take(signal) }
            }
            _ = try loop.watch(commands.raw, for: .readable) { [unowned self] _ in
                for command in commands.take() { take(command) }
            }
            _ = try loop.watch(graceTimer.raw, for: .readable) { [unowned self] _ in
                graceTimer.take()
                finish(ExitStatus.killedAfterGrace,
                       "the guest did not power off within \(description.graceText) and was killed")
            }
            _ = try loop.watch(templateTimer.raw, for: .readable) { [unowned self] _ in templateTimeIsOver() }
            _ = try loop.watch(panicTimer.raw, for: .readable) { [unowned self] _ in
                panicTimer.take()
                // Not the one that has taken its place.
                if let machine, machine.hasPanicked { machine.endAfterPanic() }
            }
        }
    }

    /// The machine has something to say: see `Machine.news`.
    func takeNews(of machine: Machine) {
        machine.news.take()
        if let outcome = machine.outcome {
            if takeEndOfTemplate(machine, "a machine from it has ended: \(outcome.message)") { return }
            if let companion { return companion.machineHasEnded(outcome) }
            if outcome == .rebooted, description.onReboot == .restart, !isShuttingDown { return loop.stop() }
            finish(outcome.status, outcome.message)
        } else if machine.hasPanicked {
            panicTimer.arm(nanoseconds: Self.panicTime)
        }
    }

    private func take(_ signal: Signal) {
        if let companion { return companion.take(signal) }
        switch signal {
        case .quit: finish(ExitStatus.signal(signal.rawValue), "killed by \(signal.name)")
        case .windowChange: if let size = console?.terminalSize { machine?.consoleDevice?.resize(size) }
        case .terminate, .interrupt, .hangUp:
            if isShuttingDown {
                finish(ExitStatus.signal(signal.rawValue), "killed by a second signal, \(signal.name)")
            } else {
                shutDown(because: signal.name)
            }
        }
    }

    private func take(_ command: ConsoleCommand) {
        switch command {
        case .quit: finish(ExitStatus.signal(Signal.interrupt.rawValue), "ended by Ctrl-A x")
        case .pressPowerButton:
            whenNotSaving { [unowned self] in
                goOn()
                _ = machine?.pressPowerButton()
            }
        }
    }

    /// Presses the power button and gives the guest its time.
    private func shutDown(because reason: String) {
        isShuttingDown = true
        whenNotSaving { [unowned self] in pressForShutdown(reason) }
    }

    private func pressForShutdown(_ reason: String) {
        // A guest that stands still would not hear it.
        goOn()
        graceTimer.arm(nanoseconds: UInt64(description.graceSeconds * 1_000_000_000))
        let isHeard = machine?.pressPowerButton() ?? false
        printErrorLine("svmm: \(reason): pressed the power button"
            + (isHeard ? "" : ", to which the guest does not listen") + "; killing the guest in \(description.graceText)")
    }

    func finish(_ status: Int32, _ message: String) {
        if result == nil { result = (status, message) } else { isImpatient = true }
        machine?.halt()
        loop.stop()
    }
}

extension MachineDescription {
    /// For example "10 s".
    var graceText: String {
        let whole = graceSeconds.rounded() == graceSeconds
        return (whole ? "\(Int(graceSeconds))" : "\(graceSeconds)") + " s"
    }
}

/// What the user has asked for by keys, on its way from the console's thread to the control thread.
final class ConsoleCommandQueue: Sendable {
    private let event: EventNotifier
    private let pending = Mutex<[ConsoleCommand]>([])

    init() throws(Errno) {
        event = try EventNotifier()
    }

    /// For epoll. Borrowed.
    var raw: Int32 { event.raw }

    func post(_ command: ConsoleCommand) {
        pending.withLock { $0.append(command) }
        event.signal()
    }

    func take() -> [ConsoleCommand] {
        event.take()
        return pending.withLock { commands in
            defer { commands = [] }
            return commands
        }
    }
}
