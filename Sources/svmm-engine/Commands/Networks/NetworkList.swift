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

/// `--filter KEY=VALUE` of `svmm network ls` and `prune`. Several with the same key: one of them; with different keys: all of them.
struct NetworkFilter: Sendable {
    private var values: [String: [String]] = [:]

    private static let keys = ["name", "id", "driver", "label", "dangling"]

    init(_ texts: [String]) throws(Expected) {
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, Self.keys.contains(parts[0]) else {
                throw Expected("KEY=VALUE with a KEY of \(Self.keys.joined(separator: ", ")), found '\(text)'")
            }
            if parts[0] == "dangling", !["true", "false"].contains(parts[1]) { throw Expected("dangling=true or dangling=false, found '\(text)'") }
            values[parts[0], default: []].append(parts[1])
        }
    }

    func matches(_ snapshot: NetworkSnapshot) -> Bool {
        values.allSatisfy { key, values in values.contains { matches(snapshot, key, $0) } }
    }

    private func matches(_ snapshot: NetworkSnapshot, _ key: String, _ value: String) -> Bool {
        switch key {
        case "id": return snapshot.network.identifier.hasPrefix(value)
        case "name": return snapshot.network.name.contains(value)
        case "driver": return value == NetworkSnapshot.driver
        case "dangling": return snapshot.users.isEmpty == (value == "true")
        default:
            let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let found = snapshot.network.labels[parts[0]] else { return false }
            return parts.count < 2 || found == parts[1]
        }
    }
}
