import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct ContainerPrune: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "prune", abstract: "Remove all containers that do not run.")

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var force = false

    @Option(parsing: .singleValue, help: ArgumentHelp("Only such containers, as with ls.", valueName: "key=value"))
    var filter: [String] = []

    @OptionGroup var store: StoreOptions

    func run() async throws {
        let chosen = try asUsage { () throws(Expected) in try ContainerFilter(self.filter) }
        try await Engine.run(store) { engine in
            guard try force || Prompt.confirm("This removes all containers that do not run.") else { return 0 }
            let (removed, bytes) = try await engine.prune(chosen)
            for identifier in removed { printLine(identifier) }
            printLine("Total reclaimed space: \(ByteCount.text(bytes))")
            return 0
        }
    }
}

extension Engine {
    /// Removes containers that do not run: their ids, and the bytes of disk that they had.
    func prune(_ filter: ContainerFilter) async throws -> (removed: [String], bytes: UInt64) {
        var removed: [String] = []
        var bytes: UInt64 = 0
        for container in try await runtime.list() where !container.isRunning && filter.matches(container) {
            let size = await runtime.diskUsage(container.record)
            do throws(ContainerError) {
                try await runtime.remove(container.record.identifier)
            } catch {
                guard error.kind == .notFound || error.kind == .wrongState else { throw error }
                // Somebody was faster.
                continue
            }
            removed.append(container.record.identifier)
            bytes += size
        }
        return (removed, bytes)
    }
}
