import AgentProtocol
import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import Registry

struct ContainerStats: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show what containers take: CPU, memory, network, disk, processes.",
        discussion: """
            Without containers: all that run. Memory is what the container's machine takes of the host's memory; CPU is a share of \
            one CPU, at first since the start.
            """)

    @Flag(help: "Once, and no more.")
    var noStream = false

    @Flag(help: "Ids in full.")
    var noTrunc = false

    @Flag(name: .shortAndLong, help: "All containers, also those that do not run.")
    var all = false

    @Option(help: ArgumentHelp("How to print them.", valueName: "table|json|template"), transform: { try ListFormat(parsing: $0) })
    var format = ListFormat.table

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Containers.", valueName: "container"))
    var containers: [String] = []

    func prepare() throws { ignoreWriteSignals() }

    func run() async throws {
        try await Engine.run(store) { engine in
            let isLive = !noStream && isTerminal(1)
            var previous: [String: Sample] = [:]
            while true {
                let samples = try await samples(engine)
                let objects = samples.map { $0.object(since: previous[$0.record.identifier], isFull: noTrunc) }
                let lines = try asUsage { () throws(Expected) in try format.lines(objects, columns: Self.columns, hasHeading: true) }
                let text = (isLive ? "\u{1B}[H\u{1B}[2J" : "") + lines.joined(separator: "\n") + "\n"
                guard StandardOutput.write(Array(text.utf8)), !noStream else { return 0 }
                previous = Dictionary(samples.map { ($0.record.identifier, $0) }) { first, _ in first }
                // The display's rate; nothing waits for anything else here.
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private static let columns = [
        ("ID", "ID"), ("NAME", "Name"), ("CPU %", "CPUPerc"), ("MEM USAGE / LIMIT", "MemUsage"), ("MEM %", "MemPerc"), ("NET IO", "NetIO"),
        ("BLOCK IO", "BlockIO"), ("PIDS", "PIDs"),
    ].map { (heading: $0.0, field: $0.1) }

    private func samples(_ engine: Engine) async throws -> [Sample] {
        var snapshots: [ContainerSnapshot] = []
        if containers.isEmpty {
            snapshots = try await engine.runtime.list().filter { all || $0.isRunning }
        } else {
            for container in containers { snapshots.append(try await engine.runtime.inspect(container)) }
        }
        var samples: [Sample] = []
        for snapshot in snapshots {
            let figures: (AgentStatistics, residentBytes: UInt64)?
            do {
                figures = snapshot.isRunning ? try await engine.runtime.statistics(snapshot.record.identifier) : nil
            } catch {
                // It starts, or has just ended.
                figures = nil
            }
            samples.append(Sample(record: snapshot.record, start: snapshot.status?.startTime ?? 0, time: Clock.realTimeNanoseconds(),
                                  statistics: figures?.0, resident: figures?.residentBytes ?? 0))
        }
        return samples
    }
}

/// Figures of one container at one time.
private struct Sample: Sendable {
    var record: ContainerRecord
    /// Nanoseconds since 1970.
    var start: UInt64
    var time: UInt64
    /// nil: it does not run.
    var statistics: AgentStatistics?
    var resident: UInt64

    func object(since previous: Sample?, isFull: Bool) -> JSONValue {
        let statistics = statistics ?? AgentStatistics()
        let limit = record.configuration.memory
        // Microseconds of CPU time, nanoseconds of real time.
        let before = previous?.statistics?.cpu ?? 0
        let begin = previous?.statistics == nil ? start : previous?.time ?? start
        let passed = Double(time > begin ? time - begin : 1) / 1000
        let share = statistics.cpu >= before ? Double(statistics.cpu - before) / passed * 100 : 0
        func pair(_ first: UInt64, _ second: UInt64) -> JSONValue { .string("\(ByteCount.text(first)) / \(ByteCount.text(second))") }
        return .object([
            "ID": .string(isFull ? record.identifier : record.shortIdentifier),
            "Name": .string(record.name),
            "CPUPerc": .string(Figures.fixed(share, digits: 2) + "%"),
            "MemUsage": pair(resident, limit),
            "MemPerc": .string(Figures.fixed(Double(resident) / Double(limit) * 100, digits: 2) + "%"),
            "NetIO": pair(statistics.received, statistics.transmitted),
            "BlockIO": pair(statistics.blockRead, statistics.blockWritten),
            "PIDs": .integer(Int64(clamping: statistics.processes)),
            "CPUMicroseconds": .integer(Int64(clamping: statistics.cpu)),
            "MemBytes": .integer(Int64(clamping: resident)),
            "MemLimit": .integer(Int64(clamping: limit)),
            "GuestMemBytes": .integer(Int64(clamping: statistics.memory)),
            "GuestMemCache": .integer(Int64(clamping: statistics.memoryCache)),
            "GuestMemPeak": .integer(Int64(clamping: statistics.memoryPeak)),
            "NetInput": .integer(Int64(clamping: statistics.received)),
            "NetOutput": .integer(Int64(clamping: statistics.transmitted)),
            "BlockInput": .integer(Int64(clamping: statistics.blockRead)),
            "BlockOutput": .integer(Int64(clamping: statistics.blockWritten)),
            "OOMKills": .integer(Int64(clamping: statistics.outOfMemoryKills)),
        ])
    }
}
