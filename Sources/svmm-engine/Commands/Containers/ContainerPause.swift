import ArgumentParser
import Containers
import LinuxSystem

struct ContainerPause: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "pause", abstract: "Stop every process of containers where it is.")

    @Flag(name: .shortAndLong, help: "All containers that run.")
    var all = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Containers.", valueName: "container"))
    var containers: [String] = []

    func run() async throws {
        try Selection.check(all, containers)
        try await Engine.run(store) { engine in
            let chosen = try await Selection.choose(all, containers, engine) { $0.state == .running }
            return await Engine.forEach(chosen) { container in
                try await engine.runtime.pause(container, true)
                return container
            }
        }
    }
}

struct ContainerUnpause: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "unpause", abstract: "Let paused containers go on.")

    @Flag(name: .shortAndLong, help: "All containers that are paused.")
    var all = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Containers.", valueName: "container"))
    var containers: [String] = []

    func run() async throws {
        try Selection.check(all, containers)
        try await Engine.run(store) { engine in
            let chosen = try await Selection.choose(all, containers, engine) { $0.state == .paused }
            return await Engine.forEach(chosen) { container in
                try await engine.runtime.pause(container, false)
                return container
            }
        }
    }
}
