import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct ContainerList: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List containers.",
        discussion: """
            Filters: id, name, status, label, ancestor, exited and health, as status=exited. A template has fields in it, as \
            '{{.ID}} {{.Names}}'; --format json shows which there are.
            """,
        aliases: ["list", "ps"])

    @Flag(name: .shortAndLong, help: "Also those that do not run.")
    var all = false

    @Flag(name: .shortAndLong, help: "Only ids.")
    var quiet = false

    @Flag(help: "Ids and commands in full.")
    var noTrunc = false

    @Flag(help: "Print no heading.")
    var noheading = false

    @Option(name: .shortAndLong, parsing: .singleValue, help: ArgumentHelp("Only such containers.", valueName: "key=value"))
    var filter: [String] = []

    @Option(name: [.customShort("n", allowingJoined: true), .customLong("last")],
            help: ArgumentHelp("The last so many that were made, whether they run or not.", valueName: "n"))
    var last: Int?

    @Flag(name: .shortAndLong, help: "The last one that was made.")
    var latest = false

    @Option(help: ArgumentHelp("How to print them.", valueName: "table|json|template"), transform: { try ListFormat(parsing: $0) })
    var format = ListFormat.table

    @OptionGroup var store: StoreOptions

    func run() async throws {
        let chosen = try asUsage { () throws(Expected) in try ContainerFilter(self.filter) }
        let count = latest ? 1 : last
        try await Engine.run(store) { engine in
            var containers = try await engine.runtime.list()
            if let count { containers = Array(containers.prefix(max(count, 0))) }
            containers = containers.filter { (all || count != nil || chosen.asksForState || $0.isRunning) && chosen.matches($0) }
            if quiet {
                for container in containers { printLine(noTrunc ? container.record.identifier : container.record.shortIdentifier) }
                return 0
            }
            let now = Clock.realTimeNanoseconds()
            let objects = containers.map { $0.summary(now: now, isFull: noTrunc) }
            let lines = try asUsage { () throws(Expected) in try format.lines(objects, columns: Self.columns, hasHeading: !noheading) }
            for line in lines { printLine(line) }
            return 0
        }
    }

    private static let columns = [
        ("CONTAINER ID", "ID"), ("IMAGE", "Image"), ("COMMAND", "Command"), ("CREATED", "RunningFor"), ("STATUS", "Status"),
        ("PORTS", "Ports"), ("NAMES", "Names"),
    ].map { (heading: $0.0, field: $0.1) }
}
