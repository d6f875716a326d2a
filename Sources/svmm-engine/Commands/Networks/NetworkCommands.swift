import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import Networks
import Registry

struct NetworkCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network",
        abstract: "Make networks between containers, list and remove them.",
        discussion: """
            A network is a bridge of the host's, on which each container has addresses of its own. For root; others have --network user, on \
            which each container is alone. Exit status: 125 where something went wrong.
            """,
        subcommands: [NetworkCreate.self, NetworkList.self, NetworkInspect.self, NetworkRemove.self, NetworkPrune.self])
}

struct NetworkInspect: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Show everything about networks, as JSON.")

    @Option(name: .shortAndLong, help: ArgumentHelp("A template in place of JSON, such as '{{.driver}}'.", valueName: "template"))
    var format: String?

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Networks.", valueName: "network"))
    var networks: [String]

    func run() async throws {
        try await Engine.inspect(store, format: format, names: { _ in networks }) { engine, network in
            try await engine.runtime.network(network).details
        }
    }
}

struct NetworkRemove: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove networks, with the host's interfaces for them.", aliases: ["delete", "remove"])

    @Flag(name: .shortAndLong, help: "With the containers that are on them, running or not, and no error for networks that are not there.")
    var force = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Networks.", valueName: "network"))
    var networks: [String]

    func run() async throws {
        try await Engine.run(store) { engine in
            await Engine.forEach(networks) { network in
                do {
                    try await engine.runtime.removeNetwork(network, isForced: force)
                } catch let error as ContainerError where force && error.kind == .notFound {
                    return nil
                }
                return network
            }
        }
    }
}

struct NetworkPrune: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "prune", abstract: "Remove all networks that no container is on, running or not.")

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var force = false

    @Option(parsing: .singleValue, help: ArgumentHelp("Only such networks, as with ls.", valueName: "key=value"))
    var filter: [String] = []

    @OptionGroup var store: StoreOptions

    func run() async throws {
        let chosen = try asUsage { () throws(Expected) in try NetworkFilter(filter) }
        try await Engine.run(store) { engine in
            guard try force || Prompt.confirm("This removes all networks that no container is on.") else { return 0 }
            for snapshot in try await engine.runtime.networks() where snapshot.users.isEmpty && chosen.matches(snapshot) {
                do throws(ContainerError) {
                    try await engine.runtime.removeNetwork(snapshot.network.identifier)
                } catch {
                    guard error.kind == .notFound || error.kind == .wrongState else { throw error }
                    // Somebody was faster.
                    continue
                }
                printLine(snapshot.network.name)
            }
            return 0
        }
    }
}
