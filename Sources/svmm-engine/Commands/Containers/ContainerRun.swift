import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct ContainerRun: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Make a container and start it.",
        discussion: "A container that cannot be started, as there is no such program in its image, leaves nothing behind.", helpNames: .long)

    @Flag(name: .shortAndLong, help: "Leave the container in the background; print its id.")
    var detach = false

    @Option(help: ArgumentHelp("Keys that leave a terminal's container alone. (default: ctrl-p,ctrl-q)", valueName: "keys"))
    var detachKeys: String?

    @OptionGroup var options: ContainerOptions

    func prepare() throws {
        if !detach { try Foreground.takeSignals() }
    }

    func run() async throws {
        let request = try asUsage { () throws(Expected) in try options.request }
        let foreground = try detach ? nil : Foreground(hasInput: options.interactive, hasTerminal: options.tty, detachKeys: detachKeys)
        let file = try IdentifierFile(options.cidfile)
        try await Engine.run(options.store, failing: file.discard) { engine in
            let image = try await Interruption.ending(foreground != nil, discarding: file.discard) {
                try await engine.prepare(request.image, options.image)
            }
            var start = StartOptions(streams: foreground?.streams, terminal: options.tty ? Foreground.terminalSize : nil,
                                     cleansUp: request.isTemporary && foreground != nil)
            start.waitsForStart = foreground == nil
            let session = try await engine.runtime.run(request, from: image, options: start) { record throws(ContainerError) in
                try file.write(record.identifier)
            }
            file.keep()
            guard let foreground else {
                printLine(session.record.identifier)
                return 0
            }
            return try await engine.follow(session, in: foreground, removing: request.isTemporary, isNew: true)
        }
    }
}

extension Engine {
    /// Has a container in the foreground until its end; its exit status.
    ///
    /// - Parameters:
    ///   - removing: whether the container is this process's to remove.
    ///   - isNew: whether it is also removed when its process cannot be started.
    func follow(_ session: ContainerSession, in foreground: Foreground, removing: Bool, isNew: Bool) async throws -> Int32 {
        let end: StreamBridge.End
        do {
            end = try await foreground.follow(session, stopsContainer: true)
        } catch {
            await session.waitForClose()
            if removing || isNew && !session.hasStarted { try? await runtime.removeEnded(session.record) }
            throw error
        }
        guard case .exited(let exit) = end else { return 0 }
        await session.waitForClose()
        if removing { try await runtime.removeEnded(session.record) }
        return exit.status
    }
}
