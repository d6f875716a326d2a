import ContainerMonitor
import LinuxSystem
import Machine
import MachineProtocol

/// Makes the template of a kind of machine, for containers to come.
enum Template {
    /// Boots the machine and saves it; returns the exit status.
    ///
    /// - Parameter path: of the template.
    static func make(_ path: String, _ description: MachineDescription) throws(MachineError) -> Int32 {
        CurrentProcess.beginSession()
        ignoreHangUps()
        let supervisor = try Supervisor(description)
        let maker: TemplateMaker
        do throws(ContainerError) {
            maker = try TemplateMaker(loop: supervisor.loop)
        } catch {
            throw MachineError("\(error)")
        }
        supervisor.accompany(maker)
        let status = supervisor.run()
        return withExtendedLifetime((supervisor, maker)) {
            supervisor.finishTemplate()
            guard status == 0 else { return status }
            // Why it is not there has been said.
            return (try? fileStatus(at: path)) == nil ? ExitStatus.failure : 0
        }
    }
}

extension TemplateMaker: MachineCompanion {
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

    public func machineHasFailed(_ error: MachineError) {}
}
