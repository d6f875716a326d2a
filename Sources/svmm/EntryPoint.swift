import ArgumentParser
import LinuxSystem
import MachineProtocol

@main
struct SVMM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "svmm",
        abstract: "Run virtual machines and containers on Linux KVM.",
        version: "svmm 0.1.0",
        subcommands: [
            Boot.self, DiskCommands.self, NetCommands.self, ShareCommands.self, VsockCommands.self, Balloon.self, Stats.self,
            ImageCommands.self, RegistryCommands.self, ContainerCommands.self,
        ]
    )

    /// As ParsableCommand's own, but with errors of one line and svmm's exit status for wrong usage.
    static func main() {
        if let argument = CommandLine.arguments.first(where: { $0.contains("\u{FFFD}") }) {
            printErrorLine("svmm: argument '\(argument)': not UTF-8; rename the file or use another name for it")
            CurrentProcess.exitNow(ExitStatus.usage)
        }
        var isEngineCommand = false
        do {
            var command = try parseAsRoot()
            if let command = command as? any EngineCommand {
                isEngineCommand = true
                try runToEnd(command)
            } else {
                try command.run()
            }
        } catch {
            let status = exitCode(for: error)
            guard !status.isSuccess else {
                printLine(fullMessage(for: error))
                CurrentProcess.exitNow(ExitStatus.poweredOff)
            }
            let text = message(for: error)
            if status == .validationFailure {
                let named = configuration.subcommands.map { $0._commandName }
                let command = CommandLine.arguments.dropFirst().first.flatMap { named.contains($0) ? "svmm \($0)" : nil } ?? "svmm"
                printErrorLine("svmm: \(oneLine(text)); see \(command) --help")
                CurrentProcess.exitNow(ExitStatus.usage)
            }
            if !text.isEmpty { printErrorLine("svmm: \(oneLine(text))") }
            let isOwn = isEngineCommand && status == .failure && !(error is ExitCode)
            CurrentProcess.exitNow(isOwn ? EngineStatus.failure : status.rawValue)
        }
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }
}
