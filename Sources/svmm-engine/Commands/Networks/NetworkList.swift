import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import Networks
import Registry

struct NetworkList: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List networks.", aliases: ["list"])

    @Flag(name: .shortAndLong, help: "Print names only.")
    var quiet = false

    @Flag(help: "Print ids as a whole.")
    var noTrunc = false

    @Flag(name: [.customShort("n"), .long], help: "Print no heading.")
    var noheading = false

    @Option(name: .shortAndLong, parsing: .singleValue,
            help: ArgumentHelp("Only such: name=, id=, driver=, label=KEY[=VALUE], dangling=true|false.", valueName: "key=value"))
    var filter: [String] = []

    @Option(help: ArgumentHelp("How to print them.", valueName: "table|json|template"), transform: { try ListFormat(parsing: $0) })
    var format = ListFormat.table

    @OptionGroup var store: StoreOptions

    func run() async throws {
        let chosen = try asUsage { () throws(Expected) in try NetworkFilter(filter) }
        try await Engine.run(store) { engine in
            let networks = try await engine.runtime.networks { printErrorLine("svmm: \($0)") }.filter(chosen.matches)
            guard !quiet else {
                for snapshot in networks { printLine(snapshot.network.name) }
                return 0
            }
            let objects = networks.map { $0.summary(isFull: noTrunc) }
            let columns = [("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SUBNETS", "Subnets")].map { (heading: $0.0, field: $0.1) }
            let lines = try asUsage { () throws(Expected) in try format.lines(objects, columns: columns, hasHeading: !noheading) }
            for line in lines { printLine(line) }
            return 0
        }
    }
}

/// `--filter KEY=VALUE` of `svmm network ls` and `prune`.
struct NetworkFilter: Sendable {
    private let filter: KeyedFilter

    init(_ texts: [String]) throws(Expected) {
        filter = try KeyedFilter(texts, keys: ["name", "id", "driver", "label", "dangling"]) { key, value, text throws(Expected) in
            if key == "dangling", !["true", "false"].contains(value) { throw Expected("dangling=true or dangling=false, found '\(text)'") }
        }
    }

    func matches(_ snapshot: NetworkSnapshot) -> Bool {
        filter.matches { key, value in
            switch key {
            case "id": snapshot.network.identifier.hasPrefix(value)
            case "name": snapshot.network.name.contains(value)
            case "driver": value == NetworkSnapshot.driver
            case "dangling": snapshot.users.isEmpty == (value == "true")
            default: KeyedFilter.matches(snapshot.network.labels, label: value)
            }
        }
    }
}
