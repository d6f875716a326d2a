import Wire

/// How a container is, as its monitor knows it. A status other than `exited` of a monitor that no longer lives means that it was killed.
public struct ContainerStatus: Equatable, Sendable {
    public enum State: UInt8, Sendable {
        /// The machine boots, or the container waits for its restart.
        case starting = 0
        case running = 1
        case paused = 2
        /// On its way to the end.
        case stopping = 3
        case exited = 4
    }

    public enum Health: UInt8, Sendable {
        case none = 0
        case starting = 1
        case healthy = 2
        case unhealthy = 3
    }

    public struct Probe: Equatable, Sendable {
        /// Nanoseconds since 1970.
        public var start: UInt64
        public var end: UInt64
        public var status: UInt8
        /// The first bytes of its output.
        public var output: String

        public init(start: UInt64, end: UInt64, status: UInt8, output: String) {
            self.start = start
            self.end = end
            self.status = status
            self.output = output
        }
    }

    public var state: State
    /// Of the monitor.
    public var processIdentifier: Int32
    /// Nanoseconds since 1970; 0: not yet.
    public var startTime: UInt64
    public var endTime: UInt64
    /// Of the main process, when it has ended; 125 when svmm failed.
    public var exitStatus: UInt8
    public var wasOutOfMemory: Bool
    /// Why it could not be run; empty when it could.
    public var failure: String
    public var restartCount: UInt32
    /// Whether a user asked for its end.
    public var wasStopped: Bool
    public var health: Health
    public var failingStreak: UInt32
    /// The last five, the newest last.
    public var probes: [Probe]

    public init(state: State, processIdentifier: Int32) {
        self.state = state
        self.processIdentifier = processIdentifier
        startTime = 0
        endTime = 0
        exitStatus = 0
        wasOutOfMemory = false
        failure = ""
        restartCount = 0
        wasStopped = false
        health = .none
        failingStreak = 0
        probes = []
    }

    private static let version: UInt32 = 1

    public var encoded: [UInt8] {
        var encoder = WireEncoder()
        encode(&encoder)
        return encoder.bytes
    }

    public init(decoding bytes: [UInt8]) throws(WireError) {
        var decoder = WireDecoder(bytes)
        try self.init(&decoder)
        try decoder.finish()
    }

    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(Self.version)
        encoder.encode(state.rawValue)
        encoder.encode(processIdentifier)
        encoder.encode(startTime)
        encoder.encode(endTime)
        encoder.encode(exitStatus)
        encoder.encode(wasOutOfMemory)
        encoder.encode(failure)
        encoder.encode(restartCount)
        encoder.encode(wasStopped)
        encoder.encode(health.rawValue)
        encoder.encode(failingStreak)
        encoder.encode(probes) { encoder, probe in
            encoder.encode(probe.start)
            encoder.encode(probe.end)
            encoder.encode(probe.status)
            encoder.encode(probe.output)
        }
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        let version = try decoder.decode(UInt32.self)
        guard version == Self.version else { throw .invalidValue(offset: 0, found: UInt64(version)) }
        self.init(state: try decoder.decodeChoice(State.init(rawValue:)), processIdentifier: try decoder.decode(Int32.self))
        startTime = try decoder.decode(UInt64.self)
        endTime = try decoder.decode(UInt64.self)
        exitStatus = try decoder.decode(UInt8.self)
        wasOutOfMemory = try decoder.decode(Bool.self)
        failure = try decoder.decodeText()
        restartCount = try decoder.decode(UInt32.self)
        wasStopped = try decoder.decode(Bool.self)
        health = try decoder.decodeChoice(Health.init(rawValue:))
        failingStreak = try decoder.decode(UInt32.self)
        probes = try decoder.decodeArray(limit: 64) { (decoder) throws(WireError) in
            Probe(start: try decoder.decode(UInt64.self), end: try decoder.decode(UInt64.self), status: try decoder.decode(UInt8.self),
                  output: try decoder.decodeText())
        }
    }
}
