/// What the monitor of a container asks of the virtual machine around it. On the control loop's thread.
public protocol ContainerMachine: AnyObject {
    /// Presses the ACPI power button; false when the guest does not listen to it.
    func pressPowerButton() -> Bool

    /// The guest has come so far that all machines like it are alike: the machine may be saved as a template, and gets its disks.
    ///
    /// - Parameter done: called when it has them, now or later.
    func guestIsReady(_ done: @escaping () -> Void)

    /// Takes the machine apart, however far it is; `ContainerMonitor.machineIsGone` follows when nothing is left of it.
    func endMachine()

    /// Builds and starts the next machine, once the last one is gone.
    func startMachine()

    /// Nothing is left to be done: the control loop ends soon.
    func finish(status: Int32, message: String)

    /// Adds to what the guest prints.
    func printOnConsole(_ bytes: [UInt8])

    /// Bytes of this process that are in memory, the guest's RAM included; nil when the kernel does not say.
    func residentBytes() -> UInt64?
}

/// Why a container cannot be: one line.
public struct ContainerError: Error, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}
