import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

/// The program that has the commands about containers and images, `svmm-engine`.
enum Engine {
    private static let name = "svmm-engine"

    /// What the engine is called with as a first word; a test compares it with the engine's own commands. Not `ps`, which lists machines.
    static let words: Set<String> = [
        "container", "containers", "image", "images", "registry", "system", "events", "network", "volume", "volumes",
        "run", "create", "start", "stop", "restart", "kill", "rm", "delete", "remove", "exec", "attach", "logs", "ls", "list", "inspect",
        "wait", "cp", "top", "rename", "pause", "unpause", "export", "port",
        "pull", "push", "rmi", "tag", "save", "load", "login", "logout", "info",
    ]

    /// What the engine is to be called with for what svmm was called with; nil: nothing of the engine's. Help comes from who knows it.
    static func arguments(for arguments: [String]) -> [String]? {
        // A word for both: a machine's where one has that name, as machines' names are not among containers'.
        if arguments.first == "pause", arguments.count == 2, isMachine(arguments[1]) { return nil }
        if let word = arguments.first, words.contains(word) { return arguments }
        guard arguments.first == "help", arguments.count > 1, words.contains(arguments[1]) else { return nil }
        return arguments.dropFirst() + ["--help"]
    }

    /// Whether a machine of that name has a control socket, or had one when it ended badly.
    private static func isMachine(_ name: String) -> Bool {
        guard let directory = try? MachineName.directory(name) else { return false }
        return (try? fileStatus(at: "\(directory)/\(StateFiles.control)")) != nil
    }

    /// Becomes the engine: same process, so signals, terminal and exit status are the caller's.
    static func become(_ arguments: [String] = Array(CommandLine.arguments.dropFirst())) -> Never {
        do throws(Errno) {
            try Parts.become(name, arguments: arguments)
        } catch {
            printErrorLine("svmm: \(name): \(error); it is installed beside svmm or in ../libexec/svmm")
            CurrentProcess.exitNow(125)
        }
    }
}

/// A first word of the engine, for the list of commands.
protocol EngineWord: ParsableCommand {}

extension EngineWord {
    func run() throws { Engine.become() }
}

struct ContainerWord: EngineWord {
    static let configuration = CommandConfiguration(
        commandName: "container", abstract: "Run containers, each in a virtual machine of its own.", aliases: ["containers"])
}

struct ImageWord: EngineWord {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Pull, list, move and remove container images.", aliases: ["images"])
}

struct NetworkWord: EngineWord {
    static let configuration = CommandConfiguration(commandName: "network", abstract: "Make networks between containers, list and remove them.")
}

struct RegistryWord: EngineWord {
    static let configuration = CommandConfiguration(commandName: "registry", abstract: "Log in to registries of images, and out.")
}

struct SystemWord: EngineWord {
    static let configuration = CommandConfiguration(commandName: "system", abstract: "Show and tidy what svmm has on this machine.")
}

struct VolumeWord: EngineWord {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Keep files that outlive the containers that use them.", aliases: ["volumes"])
}

struct EventsWord: EngineWord {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show what happens to containers, as it happens.")
}

/// As podman and Docker spell `svmm --version`.
struct VersionWord: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Show the version.")

    func run() { StandardOutput.print(versionText) }
}
