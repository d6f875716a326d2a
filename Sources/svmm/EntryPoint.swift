import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

@main
struct SVMM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "svmm",
        abstract: "Run virtual machines and containers on Linux KVM.",
        discussion: """
            The commands of svmm container, such as run, ls or logs, need no container before them; pull, push, rmi, tag, save, load, login, \
            logout and info are those of svmm image, registry and system.
            """,
        version: versionText,
        subcommands: [VersionWord.self],
        groupedSubcommands: [
            CommandGroup(name: "Virtual machines", subcommands: [
                Boot.self, ProcessList.self, DiskCommands.self, NetCommands.self, ShareCommands.self, VsockCommands.self, Balloon.self,
                Stats.self, Pause.self, Resume.self, Snapshot.self, Restore.self,
            ]),
            CommandGroup(name: "Containers", subcommands: [
                ContainerWord.self, ImageWord.self, NetworkWord.self, RegistryWord.self, SystemWord.self, VolumeWord.self, EventsWord.self,
            ]),
        ]
    )

    static func main() {
        // A program of its own, so that machines start without what containers need.
        let words = Array(CommandLine.arguments.dropFirst())
        if let arguments = Engine.arguments(for: words) { Engine.become(arguments) }
        runAsRoot(usageStatus: ExitStatus.usage, arguments: withEmptyValues(words)) { try $0.run() } failureStatus: { _ in nil }
    }

    /// Long options without a value. A test compares this with the commands.
    static let flags: Set<String> = ["dry-run", "help", "json", "prefault", "quiet", "software-kvm", "stop", "version"]

    /// The parser would take the next word for the empty value of `--name=`: a word of its own stands for it.
    static func withEmptyValues(_ words: [String]) -> [String] {
        let end = words.firstIndex(of: "--") ?? words.count
        return words[..<end].flatMap { word in
            let name = word.dropFirst(2).dropLast()
            guard word.hasPrefix("--"), word.hasSuffix("="), !name.isEmpty, !name.contains("="), !flags.contains(String(name)) else { return [word] }
            return ["--\(name)", ""]
        } + words[end...]
    }
}
