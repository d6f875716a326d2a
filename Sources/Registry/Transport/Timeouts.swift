/// How long a server may take: none can keep a command waiting for ever.
public struct Timeouts: Sendable {
    /// Until the connection stands, TLS included.
    public var connect: Duration
    /// Without a byte arriving, or leaving.
    public var idle: Duration
    /// For the whole of a short answer: a manifest, a token, an error.
    public var document: Duration
    /// A transfer of a blob may be slow, but not slower than `leastBytes` in this time.
    public var slowness: Duration
    public var leastBytes: Int

    public init(
        connect: Duration = .seconds(15), idle: Duration = .seconds(60), document: Duration = .seconds(120),
        slowness: Duration = .seconds(120), leastBytes: Int = 16 << 10
    ) {
        self.connect = connect
        self.idle = idle
        self.document = document
        self.slowness = slowness
        self.leastBytes = leastBytes
    }
}

/// Watches the speed of a transfer.
struct SpeedWatch {
    private let timeouts: Timeouts
    private var start = ContinuousClock.now
    private var bytes = 0

    init(_ timeouts: Timeouts) {
        self.timeouts = timeouts
    }

    /// Takes note of bytes that have arrived; false when too few have for too long.
    mutating func note(_ count: Int, now: ContinuousClock.Instant = .now) -> Bool {
        bytes += count
        guard now - start >= timeouts.slowness else { return true }
        defer { (start, bytes) = (now, 0) }
        return bytes >= timeouts.leastBytes
    }
}

/// Runs `operation`, and cancels it when it takes longer: then the result is nil.
func limited<Result: Sendable>(
    to duration: Duration, _ operation: @escaping @Sendable () async throws -> Result
) async throws -> Result? {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await operation() }
        group.addTask {
            try await Task.sleep(for: duration)
            return nil
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
    }
}
