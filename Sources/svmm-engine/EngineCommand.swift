import ArgumentParser
import LinuxSystem

/// A command of the container half. It runs as a task, so that it can wait for several things at once, and when svmm itself
/// fails it ends with 125, as podman and Docker do.
protocol EngineCommand: AsyncParsableCommand, Sendable {
    /// What has to happen before the process has a second thread: blocking signals, for example.
    func prepare() throws
}

extension EngineCommand {
    func prepare() throws {}
}

enum EngineStatus {
    /// svmm's own error, as opposed to that of the process in a container.
    static let failure: Int32 = 125
}

/// Runs a command's task to its end. Nothing of Swift's concurrency is started before: other commands do without it.
func runToEnd(_ command: some EngineCommand) throws {
    try command.prepare()
    let box = Outcome()
    Task {
        var command = command
        do {
            try await command.run()
            box.end(.success(()))
        } catch {
            box.end(.failure(error))
        }
    }
    try box.wait().get()
}

/// How a task ended, for a thread that is none of Swift's.
private final class Outcome: @unchecked Sendable {
    // Sound: `result` is written before the gate opens, and read behind it.
    private let gate = Gate()
    private var result: Result<Void, any Error> = .success(())

    func end(_ result: Result<Void, any Error>) {
        self.result = result
        gate.open()
    }

    func wait() -> Result<Void, any Error> {
        gate.wait()
        return result
    }
}
