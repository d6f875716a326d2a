import ArgumentParser
import Containers
import LinuxSystem

struct ContainerWait: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait until containers have ended; print their exit statuses.")

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Containers.", valueName: "container"))
    var containers: [String]

    func run() async throws {
        try await Engine.run(store) { engine in
            await Engine.forEach(containers) { container in "\(try await engine.runtime.wait(container).status)" }
        }
    }
}
