import ArgumentParser
import Containers
import LinuxSystem

struct ContainerStart: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "start", abstract: "Start containers that have been made, or have ended.")

    @Flag(name: .shortAndLong, help: "Have the container in the foreground.")
    var attach = false

    @Flag(name: .shortAndLong, help: "Connect standard input, too.")
    var interactive = false

    @Option(help: ArgumentHelp("Keys that leave a terminal's container alone. (default: ctrl-p,ctrl-q)", valueName: "keys"))
    var detachKeys: String?

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Containers.", valueName: "container"))
    var containers: [String]

    func prepare() throws {
        if attach || interactive { try Foreground.takeSignals() }
    }

    func run() async throws {
        let isForeground = attach || interactive
        guard !isForeground || containers.count == 1 else { throw ValidationError("--attach with \(containers.count) containers: expected one") }
        let foreground = try isForeground ? Foreground(hasInput: interactive, hasTerminal: true, detachKeys: detachKeys) : nil
        try await Engine.run(store) { engine in
            guard let foreground else {
                return await Engine.forEach(containers) { container in
                    _ = try await engine.runtime.start(container, options: StartOptions())
                    return container
                }
            }
            let record = try await engine.runtime.inspect(containers[0]).record
            let terminal = record.configuration.hasTerminal
            var start = StartOptions(streams: foreground.streams, terminal: terminal ? Foreground.terminalSize : nil,
                                     cleansUp: record.isTemporary)
            start.waitsForStart = false
            let session = try await engine.runtime.start(containers[0], options: start)
            return try await engine.follow(session, in: foreground.with(terminal: terminal), removing: record.isTemporary, isNew: false)
        }
    }
}

extension Engine {
    /// Does the same with several containers, prints what `body` returns for each, and goes on after an error. The exit status.
    static func forEach(_ containers: [String], _ body: (String) async throws -> String?) async -> Int32 {
        var status: Int32 = 0
        for container in containers {
            do {
                if let line = try await body(container) { printLine(line) }
            } catch {
                status = report(error)
            }
        }
        return status
    }
}
