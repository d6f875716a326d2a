import AgentProtocol
import ArgumentParser
import Containers
import LinuxSystem

struct ContainerTop: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "top", abstract: "List the processes of a container.")

    @Flag(name: [.customShort("n"), .long], help: "Print no heading.")
    var noheading = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Container.", valueName: "container"))
    var container: String

    func run() async throws {
        try await Engine.run(store) { engine in
            let processes = try await engine.runtime.processes(container)
            var table = TextTable(noheading ? nil : ["UID", "PID", "PPID", "%CPU", "ELAPSED", "RSS", "STATE", "COMMAND"])
            for process in processes.sorted(by: { $0.identifier < $1.identifier }) { table.add(Self.row(process)) }
            for line in table.lines { printLine(line) }
            return 0
        }
    }

    static func row(_ process: ProcessEntry) -> [String] {
        let share = process.elapsed > 0 ? Double(process.cpu) * 100 / Double(process.elapsed) : 0
        return [
            "\(process.user)", "\(process.identifier)", "\(process.parent)", Figures.fixed(share, digits: 1),
            Figures.elapsed(milliseconds: process.elapsed), ByteCount.text(process.resident),
            String(decoding: [process.state], as: UTF8.self), process.command,
        ]
    }
}
