import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct ContainerKill: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "kill", abstract: "Send a signal to containers' processes.")

    @Option(name: .shortAndLong, help: ArgumentHelp("Signal, by name or number. (default: KILL)", valueName: "signal"),
            transform: { text in
                guard let number = LinuxSignals.number(text) else { throw Expected("a signal's name or number, found '\(text)'") }
                return number
            })
    var signal: UInt8 = 9

    @Flag(name: .shortAndLong, help: "All containers that run.")
    var all = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Containers.", valueName: "container"))
    var containers: [String] = []

    func run() async throws {
        try Selection.check(all, containers)
        try await Engine.run(store) { engine in
            let chosen = try await Selection.choose(all, containers, engine) { $0.isRunning }
            return await Engine.forEach(chosen) { container in
                try await engine.runtime.kill(container, signal: signal)
                return container
            }
        }
    }
}
