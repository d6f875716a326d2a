import ArgumentParser
import LinuxSystem
import MachineProtocol

/// The program that has the commands about containers and images, `svmm-engine`.
enum Engine {
    private static let name = "svmm-engine"

    /// What the engine is called with as a first word; a test compares it with the engine's own commands.
    static let words: Set<String> = [
        "container", "containers", "image", "images", "registry", "system", "events",
        "run", "create", "start", "stop", "restart", "kill", "rm", "delete", "remove", "exec", "attach", "logs", "ls", "list", "ps", "inspect",
        "wait", "cp", "top", "rename", "pause", "unpause", "export",
    ]

    /// Becomes the engine with the words that svmm was called with: same process, so signals, terminal and exit status are the caller's.
    static func become() -> Never {
        do throws(Errno) {
            try Parts.become(name, arguments: Array(CommandLine.arguments.dropFirst()))
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

struct RegistryWord: EngineWord {
    static let configuration = CommandConfiguration(commandName: "registry", abstract: "Log in to registries of images, and out.")
}

struct SystemWord: EngineWord {
    static let configuration = CommandConfiguration(commandName: "system", abstract: "Show and tidy what svmm has on this machine.")
}

struct EventsWord: EngineWord {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show what happens to containers, as it happens.")
}
