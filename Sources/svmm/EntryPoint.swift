import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

@main
struct SVMM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "svmm",
        abstract: "Run virtual machines and containers on Linux KVM.",
        discussion: "The commands of svmm container, such as run, ps or logs, need no container before them.",
        version: versionText,
        groupedSubcommands: [
            CommandGroup(name: "Virtual machines", subcommands: [
                Boot.self, DiskCommands.self, NetCommands.self, ShareCommands.self, VsockCommands.self, Balloon.self, Stats.self,
            ]),
            CommandGroup(name: "Containers", subcommands: [
                ContainerWord.self, ImageWord.self, RegistryWord.self, SystemWord.self, EventsWord.self,
            ]),
        ]
    )

    static func main() {
        // A program of its own, so that machines start without what containers need.
        if let word = CommandLine.arguments.dropFirst().first, Engine.words.contains(word) { Engine.become() }
        runAsRoot(usageStatus: ExitStatus.usage) { try $0.run() } failureStatus: { _ in nil }
    }
}
