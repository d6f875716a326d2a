import ArgumentParser
import Containers
import LinuxSystem

struct ContainerExport: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the root file system of a container that runs as a tar archive.",
        discussion: "Without what is mounted below it: volumes, /proc and their like.")

    @Option(name: .shortAndLong, help: ArgumentHelp("File to write. (default: standard output)", valueName: "file"))
    var output: String?

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Container.", valueName: "container"))
    var container: String

    func prepare() throws { ignoreWriteSignals() }

    func run() async throws {
        guard output != nil || !isTerminal(1) else {
            throw ContainerError(.invalid, "standard output is a terminal: expected --output FILE, or a pipe")
        }
        try await Engine.run(store) { engine in
            guard let output else {
                try await engine.runtime.archive(container, path: "/") { bytes throws(ContainerError) in try StandardStreams.write(bytes) }
                return 0
            }
            let file = try OutputFile(output)
            do {
                try await engine.runtime.archive(container, path: "/") { bytes throws(ContainerError) in try file.write(bytes) }
                try file.finish()
            } catch {
                // Half an archive is none.
                file.discard()
                throw error
            }
            return 0
        }
    }
}
