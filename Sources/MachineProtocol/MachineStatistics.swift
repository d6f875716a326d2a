import Wire

/// Figures about a running machine, each with a name of its own. What a machine cannot tell is missing.
public struct MachineStatistics: Equatable, Sendable {
    public struct Figure: Equatable, Sendable {
        /// Lower-case letters, digits and underscores.
        public let name: String
        public let value: UInt64
    }

    /// In the order in which they are shown.
    public private(set) var figures: [Figure] = []

    public init() {}

    /// Adds a figure, if there is a value.
    public mutating func add(_ name: String, _ value: UInt64?) {
        if let value { figures.append(Figure(name: name, value: value)) }
    }

    public subscript(name: String) -> UInt64? {
        figures.first { $0.name == name }?.value
    }

    // Names of what every machine tells; `Supervisor.statistics` adds what its balloon and its guest say.

    /// Bytes that the machine was started with.
    public static let memory = "memory"
    /// Bytes of its process that are in the host's memory.
    public static let resident = "resident"
    /// Bytes of those that it has written and shares with no other process: what is this machine's alone.
    public static let privateMemory = "private_bytes"
    /// CPU time of the process in nanoseconds, that of the guest included.
    public static let processorTime = "cpu_time_ns"
    /// Nanoseconds since the process was made.
    public static let uptime = "uptime_ns"
    /// The number of the process, as it sees it itself.
    public static let process = "pid"
    /// 1 while the guest stands still, else 0; missing where none runs: before another start of it, or when the machine ends.
    public static let paused = "paused"

    private static let nameLimit = 64
    private static let figureLimit = 1024

    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(figures) { encoder, figure in
            encoder.encode(figure.name)
            encoder.encode(figure.value)
        }
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        figures = try decoder.decodeArray(limit: Self.figureLimit) { (decoder) throws(WireError) in
            Figure(name: try decoder.decodeString(limit: Self.nameLimit), value: try decoder.decode(UInt64.self))
        }
    }
}
