import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct ContainerRestartCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Stop containers in order, if they run, and start them.")

    @Option(name: [.customShort("t", allowingJoined: true), .customLong("time"), .customLong("timeout")],
            help: ArgumentHelp("Seconds until the end. (default: the container's own)", valueName: "seconds"),
            transform: { try number($0, in: 0...31_536_000, unit: " seconds") })
    var time: UInt32?

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
                try await engine.runtime.stop(container, timeout: time)
                _ = try await engine.runtime.start(container, options: StartOptions())
                return container
            }
        }
    }
}
