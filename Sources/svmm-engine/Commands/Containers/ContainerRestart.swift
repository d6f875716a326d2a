import ArgumentParser
import Containers
import LinuxSystem

struct ContainerRestartCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Stop containers in order, if they run, and start them.")

    @OptionGroup var timeout: StopTimeOption

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
                try await engine.runtime.stop(container, timeout: timeout.time)
                _ = try await engine.runtime.start(container, options: StartOptions())
                return container
            }
        }
    }
}
