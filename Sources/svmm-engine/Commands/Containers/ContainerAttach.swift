import ArgumentParser
import Containers
import LinuxSystem

struct ContainerAttach: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach", abstract: "Have a container that runs in the foreground.",
        discussion: "Exit status: that of the container, or 0 when it was left by the detach keys.")

    @Flag(help: "Do not connect standard input.")
    var noStdin = false

    @Option(help: ArgumentHelp("Keys that leave a terminal's container alone. (default: ctrl-p,ctrl-q)", valueName: "keys"))
    var detachKeys: String?

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Container.", valueName: "container"))
    var container: String

    func prepare() throws { try Foreground.takeSignals() }

    func run() async throws {
        try await Engine.run(store) { engine in
            let record = try await engine.runtime.inspect(container).record
            let configuration = record.configuration
            let foreground = try Foreground(hasInput: configuration.hasInput && !noStdin, hasTerminal: configuration.hasTerminal,
                                            detachKeys: detachKeys)
            let session = try await engine.runtime.attach(container, streams: foreground.streams)
            switch try await foreground.follow(session, stopsContainer: false) {
            case .exited(let exit): return exit.status
            case .detached: return 0
            case .outputClosed: return 141
            }
        }
    }
}
