import Devices
import GuestMemory
import LinuxSystem
import Synchronization

/// Takes what devices and vCPUs say about the machine's end, from any thread; the first word counts.
final class MachineEnding: Sendable {
    private struct State {
        var outcome: MachineOutcome?
        var hasPanicked = false
        var processors: [ProcessorThread] = []
    }

    /// Where Linux leaves 0x1234 for the BIOS when it reboots warm (arch/x86/kernel/reboot.c). svmm boots kernels with
    /// `reboot=panic_warm`, so that of all reboots only the one after a panic is warm.
    private static let warmRebootMark: GuestAddress = 0x472
    private static let warmReboot: UInt16 = 0x1234

    private let state = Mutex(State())
    private let news: EventNotifier
    private let memory: GuestMemory
    private let marksPanics: Bool

    init(news: EventNotifier, memory: GuestMemory, marksPanics: Bool) {
        self.news = news
        self.memory = memory
        self.marksPanics = marksPanics
    }

    /// The threads to stop at the end.
    var processors: [ProcessorThread] {
        get { state.withLock { $0.processors } }
        set { state.withLock { $0.processors = newValue } }
    }

    var outcome: MachineOutcome? { state.withLock { $0.outcome } }
    var hasPanicked: Bool { state.withLock { $0.hasPanicked } }

    func report(_ event: MachineEvent) {
        switch event {
        case .powerOff: end(.poweredOff)
        case .reset: end(isAfterPanic ? .panicked : .rebooted)
        case .panic:
            state.withLock { $0.hasPanicked = true }
            news.signal()
        }
    }

    /// Keeps the first outcome and keeps the vCPUs from running on.
    func end(_ outcome: MachineOutcome) {
        let processors = state.withLock { state in
            guard state.outcome == nil else { return [] as [ProcessorThread] }
            state.outcome = outcome
            return state.processors
        }
        for processor in processors { processor.requestStop() }
        news.signal()
    }

    private var isAfterPanic: Bool {
        if hasPanicked { return true }
        return marksPanics && (try? memory.read(UInt16.self, at: Self.warmRebootMark)) == Self.warmReboot
    }
}

/// Hands a machine to the thread that takes it apart, which is then not the last to let go of it.
final class MachineHolder: Sendable {
    private let machine: Mutex<Machine?>

    init(_ machine: Machine) {
        self.machine = Mutex(machine)
    }

    /// Stops the machine, and lets go of it.
    func stopMachine() {
        let machine = machine.withLock { $0.take() }
        machine?.stop()
    }
}

/// Raised once, by any thread.
final class Flag: Sendable {
    private let value = Atomic(false)

    var isRaised: Bool { value.load(ordering: .acquiring) }

    func raise() {
        value.store(true, ordering: .releasing)
    }
}
