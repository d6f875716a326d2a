import ArgumentParser
import Containers

struct ContainerRename: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "rename", abstract: "Give a container another name.")

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Container.", valueName: "container"))
    var container: String

    @Argument(help: ArgumentHelp("Its new name.", valueName: "name"))
    var name: String

    func run() async throws {
        try await Engine.run(store) { engine in
            try await engine.runtime.rename(container, to: name)
            return 0
        }
    }
}
