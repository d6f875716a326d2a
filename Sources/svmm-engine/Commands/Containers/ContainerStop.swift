import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct ContainerStop: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop containers in order.",
        discussion: "The machine's power button is pressed: the process gets its stop signal, and is killed after the timeout.")

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
                return container
            }
        }
    }
}

struct StopTimeOption: ParsableArguments {
    @Option(name: [.customShort("t", allowingJoined: true), .customLong("time"), .customLong("timeout")],
            help: ArgumentHelp("Seconds until the end. (default: the container's own)", valueName: "seconds"),
            transform: { try number($0, in: 0...31_536_000, unit: " seconds") })
    var time: UInt32?
}

/// Containers by name, or all of a kind.
enum Selection {
    static func check(_ all: Bool, _ containers: [String]) throws {
        guard all != !containers.isEmpty else {
            throw ValidationError(all ? "--all with containers' names: expected one of them" : "expected a container's name, or --all")
        }
    }

    static func choose(
        _ all: Bool, _ containers: [String], _ engine: Engine, where isMeant: (ContainerSnapshot) -> Bool
    ) async throws -> [String] {
        guard all else { return containers }
        return try await engine.runtime.list().filter(isMeant).map(\.record.identifier)
    }
}
