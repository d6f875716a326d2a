import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import Registry

struct ContainerInspect: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show everything about containers, as JSON.")

    @Option(name: .shortAndLong, help: ArgumentHelp("A template in place of JSON, such as '{{.State.Status}}'.", valueName: "template"))
    var format: String?

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Containers.", valueName: "container"))
    var containers: [String]

    func run() async throws {
        try await Engine.inspect(store, format: format, names: { _ in containers }) { engine, container in
            let snapshot = try await engine.runtime.inspect(container)
            let volumes = await engine.runtime.volumePaths(snapshot.record)
            return snapshot.details(directory: engine.runtime.directory(snapshot.record), volumes: volumes)
        }
    }
}
