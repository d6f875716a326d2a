import ArgumentParser
import Containers
import LinuxSystem

struct ContainerRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Make a container and start it.",
        discussion: "A container that cannot be started, as there is no such program in its image, leaves nothing behind.", helpNames: .long)

    @Flag(name: .shortAndLong, help: "Leave the container in the background; print its id.")
    var detach = false

    @Option(help: ArgumentHelp("Keys that leave a terminal's container alone. (default: ctrl-p,ctrl-q)", valueName: "keys"))
    var detachKeys: String?

    @OptionGroup var options: ContainerOptions

    func run() throws {
        let request = try asUsage { () throws(Expected) in try options.request }
        let foreground = try detach ? nil : Foreground(hasInput: options.interactive, hasTerminal: options.tty, detachKeys: detachKeys)
        let file = try IdentifierFile(options.cidfile)
        try Engine.run(options.store) { engine in
            let image = try await engine.prepare(request.image, options.image)
            let start = StartOptions(streams: foreground?.streams, terminal: options.tty ? Foreground.terminalSize : nil,
                                     cleansUp: request.isTemporary && foreground != nil)
            let session = try await engine.runtime.run(request, from: image, options: start) { record throws(ContainerError) in
                try file.write(record.identifier)
            }
            guard let foreground else {
                printLine(session.record.identifier)
                return 0
            }
            return try await engine.follow(session, in: foreground, removing: request.isTemporary)
        }
    }
}

extension Engine {
    /// Has a container in the foreground until its end; its exit status.
    ///
    /// - Parameter removing: whether the container is this process's to remove.
    func follow(_ session: ContainerSession, in foreground: Foreground, removing: Bool) async throws -> Int32 {
        let (runtime, identifier) = (runtime, session.record.identifier)
        let stop: @Sendable () -> Void = {
            // Its result is the session's end.
            Task.detached { try? await runtime.stop(identifier) }
        }
        var end: StreamBridge.End
        do {
            end = try await foreground.follow(session, stop: stop)
        } catch {
            if removing { try await runtime.removeEnded(session.record) }
            throw error
        }
        if end == .outputClosed {
            // As the writer into a pipe that nobody reads.
            let exit = try await runtime.stop(identifier)
            end = .exited(exit ?? ContainerExit(status: 141))
        }
        guard case .exited(let exit) = end else { return 0 }
        await session.waitForClose()
        if removing { try await runtime.removeEnded(session.record) }
        return exit.status
    }
}
