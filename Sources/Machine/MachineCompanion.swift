import LinuxSystem

/// Somebody for whose sake a machine runs, and who decides then what becomes of it: see `Supervisor.accompany`. On the control loop's
/// thread.
public protocol MachineCompanion: AnyObject {
    /// All is prepared, and no machine has been built yet.
    ///
    /// - Parameter vsockPath: what the guest's connections to port P arrive at, with `_P` behind it; nil: nothing.
    func begin(with supervisor: Supervisor, vsockPath: String?) throws(MachineError)

    /// A machine runs. Before the loop does.
    func machineHasStarted()

    /// The guest runs no further, for this reason. What it has sent is still on its way, until `Supervisor.endMachine` is called.
    func machineHasEnded(_ outcome: MachineOutcome)

    /// Nothing is left of the machine: `Supervisor.startMachine` or `finish` comes next, now or later.
    func machineIsGone()

    /// The machine's sockets and its state directory are about to be removed: what the companion has made beside them goes first. After
    /// `begin`, also where that has failed.
    func closeSockets()

    /// A machine could not be built or started: nothing comes after this.
    func machineHasFailed(_ error: MachineError)

    /// A signal for this process.
    func take(_ signal: Signal)
}

// What a companion asks for.
extension Supervisor {
    /// Presses the ACPI power button; false when the guest does not listen, or no machine runs.
    public func pressPowerButton() -> Bool {
        machine?.pressPowerButton() ?? false
    }

    /// Takes the machine apart; then `MachineCompanion.machineIsGone` is called.
    public func endMachine() {
        isMachineWanted = false
        machine?.halt()
        loop.stop()
    }

    /// Lets another machine take the place of the one that is gone.
    public func startMachine() {
        isMachineWanted = true
        loop.stop()
    }

    /// No machine is wanted any more: `run` ends, with this status.
    public func finish(status: Int32, message: String) {
        finish(status, message)
    }

    /// Adds to what the guest prints.
    public func printOnConsole(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { console?.print($0) }
    }

    /// Bytes of this process that are in memory, the guest's RAM included; nil when the kernel does not say.
    public func residentBytes() -> UInt64? {
        residentMemory?.bytes()
    }
}
