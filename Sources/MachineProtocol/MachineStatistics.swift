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
