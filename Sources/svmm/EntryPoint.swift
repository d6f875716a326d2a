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
            ImageCommands.self, RegistryCommands.self, ContainerCommands.self, EventsCommand.self,
            SystemCommands.self,
        ],
        groupedSubcommands: [CommandGroup(name: "Short for svmm container …", subcommands: ContainerCommands.shared)]
    )

    /// Whether the words are of the container half, whose wrong usage ends with 125, as with podman and Docker.
    private static var isOfEngine: Bool {
        guard let word = CommandLine.arguments.dropFirst().first else { return false }
        let own = [ImageCommands.self, RegistryCommands.self, ContainerCommands.self, EventsCommand.self, SystemCommands.self]
            + ContainerCommands.shared
        return own.contains { $0._commandName == word || $0.configuration.aliases.contains(word) }
    }

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
                printErrorLine("svmm: \(oneLine(text)); see \(helpfulCommand) --help")
                CurrentProcess.exitNow(isOfEngine ? EngineStatus.failure : ExitStatus.usage)
            }
            if !text.isEmpty { printErrorLine("svmm: \(oneLine(text))") }
            let isOwn = isEngineCommand && status == .failure && !(error is ExitCode)
            CurrentProcess.exitNow(isOwn ? EngineStatus.failure : status.rawValue)
        }
    }

    /// As much of what was typed as are commands' names.
    private static var helpfulCommand: String {
        var words = ["svmm"]
        var commands: [ParsableCommand.Type] = configuration.subcommands + ContainerCommands.shared
        for word in CommandLine.arguments.dropFirst() {
            guard let next = commands.first(where: { $0._commandName == word || $0.configuration.aliases.contains(word) }) else { break }
            words.append(word)
            commands = next.configuration.subcommands
        }
        return words.joined(separator: " ")
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }
}
