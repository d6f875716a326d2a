import ArgumentParser
import Containers
import LinuxSystem

struct ContainerRemove: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove containers, with everything that they have written, but for volumes.", aliases: ["delete", "remove"])

    @Flag(name: .shortAndLong, help: "Also those that run, and no error for those that are not there.")
    var force = false

    @Flag(name: .shortAndLong, help: "With their volumes that have no name; --rm containers have them removed in any case.")
    var volumes = false

    @Flag(name: .shortAndLong, help: "All containers.")
    var all = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Containers.", valueName: "container"))
    var containers: [String] = []

    func run() async throws {
        try Selection.check(all, containers)
        try await Engine.run(store) { engine in
            let chosen = try await Selection.choose(all, containers, engine) { _ in true }
            return await Engine.forEach(chosen) { container in
                do {
                    try await engine.runtime.remove(container, isForced: force, withVolumes: volumes)
                } catch let error as ContainerError where force && error.kind == .notFound {
                    return nil
                }
                return container
            }
        }
    }
}

/// What a monitor becomes at the end of a temporary container.
struct ContainerCleanup: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "cleanup", abstract: "Remove a container that has ended.", shouldDisplay: false)

    @OptionGroup var store: StoreOptions

    @Argument var container: String

    func run() async throws {
        // To open the store is to repair it: the container is gone by then.
        try await Engine.run(store) { _ in 0 }
    }
}
