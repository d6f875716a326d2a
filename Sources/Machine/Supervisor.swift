import KVM
import LinuxSystem
import MachineProtocol

/// Runs a machine from the control thread: signals, the power button, the grace period, restarts, the last line and the exit
/// status. For the main thread, before there is any other.
public final class Supervisor {
    let description: MachineDescription
    /// Runs in `run`, and may be run again after it.
    public let loop: EventLoop
    let signals: SignalQueue
    let commands: ConsoleCommandQueue
    let graceTimer: OneShotTimer
    let panicTimer: OneShotTimer
    let templateTimer: OneShotTimer
    var template = TemplateState()
    var machine: Machine?
    /// Whether somebody has asked for the guest's shutdown.
    var isShuttingDown = false
    /// Whether somebody has asked for the end more than once.
    var isImpatient = false
    /// Whether the guest stands still because somebody has asked for that.
    var isPaused = false
    /// While the machine is being saved.
    var saving: Saving?
    /// Set once, when nothing is left to wait for.
    var result: (status: Int32, message: String)?
    var console: Console?
    /// What the balloon should hold, in bytes; kept when the guest reboots.
    var balloonTarget: UInt64 = 0
    /// nil where the kernel does not say.
    let residentMemory = try? ResidentMemory()
    private var control: ControlServer?
    private var isFirstMachine = true
    private(set) unowned var companion: (any MachineCompanion)?
    /// Whether a companion wants a machine to run.
    var isMachineWanted = true

    /// Bytes of a companion's machine's console that are kept: many times what a boot says, and no way to fill a disk.
    private static let companionConsoleLimit = 4 << 20

    public init(_ description: MachineDescription) throws(MachineError) {
        self.description = description
        // The signals are blocked before the first thread is made, so that no thread is ever interrupted by them.
        (signals, loop, commands, graceTimer, panicTimer, templateTimer) = try Self.setUp { () throws(Errno) in
            (try SignalQueue(Signal.allCases), try EventLoop(), try ConsoleCommandQueue(), try OneShotTimer(),
             try OneShotTimer(), try OneShotTimer())
        }
    }

    /// Before `run`: somebody who decides what becomes of the machine, in the place of this object's own rules.
    public func accompany(_ companion: any MachineCompanion) {
        self.companion = companion
    }

    /// Checks, boots, waits for the end; says how it ended on standard error and returns the exit status.
    public func run() -> Int32 {
        do throws(MachineError) {
            // Guests may hold many files open, and connections.
            CurrentProcess.raiseDescriptorLimit()
            let prepared = try PreparedMachine(description)
            if description.dryRun {
                for line in prepared.summary { printLine(line) }
                return ExitStatus.poweredOff
            }
            defer { cleanUp(prepared) }
            try boot(prepared)
            if companion == nil { finishSnapshot() }
        } catch {
            _ = console?.close()
            printErrorLine("svmm: \(error)")
            companion?.machineHasFailed(error)
            return error.status
        }
        let lost = console?.close() ?? 0
        if lost > 0 { printErrorLine("svmm: \(lost) bytes of console output were lost: they could not be written in time") }
        guard let result else { return ExitStatus.failure }
        printErrorLine("svmm: \(result.message)")
        return result.status
    }

    private func boot(_ prepared: borrowing PreparedMachine) throws(MachineError) {
        try Self.setUp { () throws(Errno) in try KickSignal.install() }
        let system = try openKVM()
        let isLinux = prepared.boot?.kernel.plan.isLinux ?? prepared.origin?.state.isLinux ?? false
        if isLinux, !description.allowsSoftwareKVM { try Self.requireHardware() }
        if let origin = prepared.origin { balloonTarget = origin.state.balloonTarget }
        try watchEvents()
        try serveControl(prepared)
        let network = prepared.network
        try Self.setUp { () throws(Errno) in try network.supervise(on: loop) }
        let commands = commands
        // Nobody looks after a companion's file.
        let console = try Console(description.console, fileLimit: companion == nil ? .max : Self.companionConsoleLimit) { commands.post($0) }
        self.console = console
        template.disks = prepared.disks
        template.description = SnapshotDescription(prepared)
        try companion?.begin(with: self, vsockPath: prepared.vsock?.listenPath)
        while result == nil {
            try runMachine(prepared, system, console)
            guard let companion else { continue }
            if template.hasFailed {
                template.hasFailed = false
                isMachineWanted = true
                continue
            }
            companion.machineIsGone()
            while result == nil, !isMachineWanted { loop.run() }
        }
    }

    /// Runs a machine to its end, and takes it apart where another may follow.
    private func runMachine(
        _ prepared: borrowing PreparedMachine, _ system: KVMSystem, _ console: Console
    ) throws(MachineError) {
        let machine = try makeMachine(prepared, system, console)
        machine.balloon?.target = balloonTarget
        self.machine = machine
        isPaused = false
        let watch = try Self.setUp { () throws(Errno) in
            try loop.watch(machine.news.raw, for: .readable) { [unowned self] _ in takeNews(of: machine) }
        }
        console.attach(machine.consoleInput)
        try machine.start()
        CurrentProcess.releaseStartUpCode()
        watchTemplate(machine)
        companion?.machineHasStarted()
        repeat { loop.run() } while companion != nil && isMachineWanted
        loop.forget(watch)
        guard result == nil else { return }
        try waitForStop(of: machine)
        guard companion != nil else { return }
        self.machine = nil
        console.detach()
    }

    /// The first machine of a companion may be made a template.
    private func makeMachine(
        _ prepared: borrowing PreparedMachine, _ system: KVMSystem, _ console: Console
    ) throws(MachineError) -> Machine {
        let isTemplate = isFirstMachine && companion != nil
        isFirstMachine = false
        let origin = prepared.origin.flatMap { $0.restore.isTemplate && !$0.isSpent ? $0 : nil }
        do throws(MachineError) {
            return try Machine(prepared, system: system, console: console, isTemplate: isTemplate)
        } catch {
            guard let origin else { throw error }
            origin.spend()
            PreparedOrigin.giveUp(origin.restore.directory, error)
            return try Machine(prepared, system: system, console: console)
        }
    }

    /// Makes the control socket, if the machine has a state directory, and serves it on the control loop.
    private func serveControl(_ prepared: borrowing PreparedMachine) throws(MachineError) {
        guard let state = prepared.state else { return }
        let requests = ControlRequests(prepared, for: self)
        let server = try ControlServer(path: state.file(StateFiles.control), loop: loop) { requests.answer($0, reply: $1) }
        control = server
        try Self.setUp { () throws(Errno) in try server.start() }
    }

    /// Removes what others could find of the machine.
    private func cleanUp(_ prepared: borrowing PreparedMachine) {
        companion?.closeSockets()
        control?.close()
        control = nil
        prepared.vsock?.close()
        prepared.network.close()
        prepared.state?.remove()
    }

    /// Takes a rebooted machine apart while signals are still heard: its I/O in flight may take long.
    private func waitForStop(of machine: Machine) throws(MachineError) {
        let loop = loop
        let isGone = Flag()
        let holder = MachineHolder(machine)
        try Self.setUp { () throws(Errno) in
            _ = try Thread(name: "restart") {
                holder.stopMachine()
                loop.perform {
                    isGone.raise()
                    loop.stop()
                }
            }
        }
        while !isGone.isRaised, result == nil { loop.run() }
        guard companion == nil else { return }
        if result == nil, isShuttingDown { result = (MachineOutcome.rebooted.status, MachineOutcome.rebooted.message) }
        if result == nil { printErrorLine("svmm: the guest rebooted; starting it again") }
    }

    private func openKVM() throws(MachineError) -> KVMSystem {
        let count = description.processorCount
        let system: KVMSystem
        let maximum: Int
        do throws(KVMError) {
            system = try KVMSystem()
            maximum = try system.maximumProcessorCount()
        } catch {
            throw MachineError(kvm: error)
        }
        guard count <= maximum else {
            throw MachineError("--cpus \(count): this machine's KVM allows at most \(maximum)", status: ExitStatus.usage)
        }
        return system
    }

    /// Without hardware a guest's kernel runs in KVM's instruction emulator, which is slow and lacks instructions: Linux does
    /// not reach user space there.
    private static func requireHardware() throws(MachineError) {
        guard FailureText.hasHardwareVirtualization() else {
            throw MachineError("/dev/kvm: this KVM has no hardware virtualization behind it (no vmx or svm in /proc/cpuinfo), expected some for Linux; run svmm in Tools/rig or on another machine, or try with --software-kvm")
        }
    }

    static func setUp<Result>(_ body: () throws(Errno) -> Result) throws(MachineError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw MachineError("the monitor could not be set up: \(error); is a limit on open files (ulimit -n) too low?")
        }
    }
}
