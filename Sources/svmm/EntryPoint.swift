import ArgumentParser
import LinuxSystem
import MachineProtocol

@main
struct SVMM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "svmm",
        abstract: "Run virtual machines on Linux KVM.",
        version: Version.text,
        subcommands: [Boot.self]
    )

    /// As ParsableCommand's own, but for the exit status of wrong usage.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let status = exitCode(for: error)
            let text = fullMessage(for: error)
            if status.isSuccess {
                if !text.isEmpty { printLine(text) }
                CurrentProcess.exitNow(ExitStatus.poweredOff)
            }
            if !text.isEmpty { printErrorLine(text) }
            CurrentProcess.exitNow(status == .validationFailure ? ExitStatus.usage : status.rawValue)
        }
    }
}

enum Version {
    static let text = "svmm 0.1.0"
}
