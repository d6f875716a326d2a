import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Machine
import MachineProtocol

/// Runs a machine for a container, as its monitor.
enum Container {
    /// Runs the machine, and the container in it, to the end; returns the exit status, or becomes the program that cleans up.
    static func run(
        _ description: MachineDescription, _ container: ContainerDescription, _ arguments: Arguments
    ) throws(MachineError) -> Int32 {
        // Whoever has started the container may go, and its terminal with it.
        CurrentProcess.beginSession()
        ignoreHangUps()
        let ports = arguments.ports.map { $0..<$0 + setCloseOnExec(from: $0) } ?? 0..<0
        let client = arguments.client.map { Container.take($0) }
        let lock = arguments.lock.map { Container.take($0) }
        let supervisor = try Supervisor(description)
        let monitor: ContainerMonitor
        do throws(ContainerError) {
            monitor = try ContainerMonitor(container, loop: supervisor.loop, client: client, lock: lock)
        } catch {
            throw MachineError("\(error)")
        }
        monitor.ports = Array(ports)
        supervisor.accompany(monitor)
        _ = supervisor.run()
        // The supervisor hears signals until the end.
        let cleanup = withExtendedLifetime(supervisor) {
            defer { supervisor.finishTemplate() }
            return monitor.conclude()
        }
        if let program = cleanup.first { clean(program, cleanup) }
        return monitor.exitStatus
    }

    /// A descriptor that was passed to this program, and is not to be passed on.
    private static func take(_ number: Int32) -> FileDescriptor {
        setCloseOnExec(number)
        return FileDescriptor(owning: number)
    }

    private static func clean(_ program: String, _ arguments: [String]) {
        restoreSignals()
        do throws(Errno) {
            try CurrentProcess.execute(program, arguments: arguments)
        } catch {
            printErrorLine("svmm: \(program): the container cannot be cleaned up: \(error); the next svmm command does it")
        }
    }
}

extension Supervisor: ContainerMachine {}

extension ContainerMonitor: MachineCompanion {
    public func begin(with supervisor: Supervisor, vsockPath: String?) throws(MachineError) {
        do throws(ContainerError) {
            try begin(supervisor, vsockPath: vsockPath)
        } catch {
            throw MachineError("\(error)")
        }
    }

    public func machineHasEnded(_ outcome: MachineOutcome) {
        machineHasEnded(outcome == .poweredOff ? .poweredOff : .crashed(outcome.message))
    }

    public func machineHasFailed(_ error: MachineError) {
        machineHasFailed("\(error)")
    }
}
