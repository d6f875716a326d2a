import ArgumentParser
import Containers
import LinuxSystem

struct ContainerList: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List containers.", aliases: ["list", "ps"])

    @Flag(name: .shortAndLong, help: "Also those that do not run.")
    var all = false

    @Flag(name: .shortAndLong, help: "Only ids.")
    var quiet = false

    @OptionGroup var store: StoreOptions

    func run() async throws {
        try await Engine.run(store) { engine in
            for container in try await engine.runtime.list() where all || container.isRunning {
                printLine("\(container.record.shortIdentifier)  \(container.record.name)  \(container.record.image)  \(container.state)")
            }
            return 0
        }
    }
}
