import MachineProtocol

/// A running machine as `svmm ps` shows it.
struct ListedMachine {
    enum State: String {
        case running
        case paused
        /// No guest runs: it is about to be started again, or the machine ends.
        case stopped
        /// It has not answered in time.
        case unresponsive
    }

    let name: String
    let kind: MachinePlace.Kind
    let state: State
    /// The monitor's process; nil when it is not known.
    let process: UInt64?
    /// nil: it has not told.
    let statistics: MachineStatistics?

    /// - Parameter process: as this process sees it; nil: as the machine says.
    init(_ place: MachinePlace, process: Int32?, statistics: MachineStatistics?) {
        name = place.name
        kind = place.kind
        self.process = process.map { UInt64(clamping: $0) } ?? statistics?[MachineStatistics.process]
        self.statistics = statistics
        state = if let statistics {
            switch statistics[MachineStatistics.paused] {
            case nil: .stopped
            case 0: .running
            default: .paused
            }
        } else {
            .unresponsive
        }
    }

    /// nil: it has ended.
    init?(_ inquiry: MachineInquiry) {
        switch inquiry.outcome {
        case .gone: return nil
        case .answered(let statistics): self.init(inquiry.place, process: inquiry.process, statistics: statistics)
        case .silent, .garbled: self.init(inquiry.place, process: inquiry.process, statistics: nil)
        }
    }

    /// What `--format json` has of the statistics, under the same names.
    private static let figures = [
        MachineStatistics.memory, MachineStatistics.resident, MachineStatistics.privateMemory, MachineStatistics.processorTime,
        MachineStatistics.uptime,
    ]

    /// One JSON object in a line. Neither names nor states need escapes: see `MachineName.check`.
    var object: String {
        let texts = [("name", name), ("kind", kind.rawValue), ("state", state.rawValue)].map { "\"\($0)\": \"\($1)\"" }
        let numbers = [("pid", process)] + Self.figures.map { ($0, statistics?[$0]) }
        return "{" + (texts + numbers.map { "\"\($0)\": \($1.map { "\($0)" } ?? "null")" }).joined(separator: ", ") + "}"
    }

    /// One JSON array, an object in each line.
    static func array(_ machines: [ListedMachine]) -> String {
        machines.isEmpty ? "[]" : "[\n" + machines.map { "  " + $0.object }.joined(separator: ",\n") + "\n]"
    }

    private static let heading = ["NAME", "KIND", "STATE", "PID", "MEMORY", "RESIDENT", "PRIVATE", "CPU TIME", "UPTIME"]
    /// Of these columns the texts begin in one line; numbers end in one.
    private static let textColumns = 3

    /// A heading and a line for each machine, its columns aligned, two spaces between them.
    static func table(_ machines: [ListedMachine]) -> [String] {
        let rows = [heading] + machines.map(\.cells)
        let widths = heading.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, text in
                let padding = String(repeating: " ", count: widths[column] - text.count)
                return column < textColumns ? text + padding : padding + text
            }.joined(separator: "  ")
        }
    }

    private var cells: [String] {
        func cell(_ name: String, _ text: (UInt64) -> String) -> String { statistics?[name].map(text) ?? "-" }
        return [
            name, kind.rawValue, state.rawValue, process.map { "\($0)" } ?? "-", cell(MachineStatistics.memory, FigureText.bytes),
            cell(MachineStatistics.resident, FigureText.bytes), cell(MachineStatistics.privateMemory, FigureText.bytes),
            cell(MachineStatistics.processorTime, FigureText.time), cell(MachineStatistics.uptime, FigureText.time),
        ]
    }
}
