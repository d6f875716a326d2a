import ArgumentParser
import CommandSupport
import LinuxSystem

/// What `svmm` becomes for its commands about containers and images.
@main
struct EngineProgram: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "svmm",
        abstract: "Run containers, each in a virtual machine of its own.",
        subcommands: [ImageCommands.self, RegistryCommands.self, ContainerCommands.self, NetworkCommands.self, VolumeCommands.self, EventsCommand.self,
                      SystemCommands.self, NetworkNames.self],
        groupedSubcommands: [CommandGroup(name: "Short for svmm container …", subcommands: ContainerCommands.shared)]
    )

    /// Wrong usage ends with 125 like every other error of svmm's own, as with podman and Docker.
    static func main() {
        let arguments = CommandWords.spelledOut(CommandLine.arguments.dropFirst())
        runAsRoot(usageStatus: EngineStatus.failure, arguments: arguments) { command in
            if let command = command as? any EngineCommand {
                try runToEnd(command)
            } else {
                try command.run()
            }
        } failureStatus: { $0 is any EngineCommand || $0 is NetworkNames ? EngineStatus.failure : nil }
    }
}
