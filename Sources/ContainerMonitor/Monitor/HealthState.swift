import ContainerProtocol

/// What the probes so far say of the container's health.
struct HealthState {
    let check: HealthCheck
    private(set) var health = ContainerStatus.Health.starting
    private(set) var failingStreak: UInt32 = 0
    /// The last ones, the newest last.
    private(set) var probes: [ContainerStatus.Probe] = []
    /// When the main process started, by the monotonic clock.
    let startTime: UInt64

    static let maximumProbes = 5

    init(_ check: HealthCheck, startTime: UInt64) {
        self.check = check
        self.startTime = startTime
    }

    /// Takes a probe's result at a time of the monotonic clock; whether the health is another now.
    mutating func take(_ probe: ContainerStatus.Probe, now: UInt64) -> Bool {
        probes.append(probe)
        if probes.count > Self.maximumProbes { probes.removeFirst() }
        let before = health
        if probe.status == 0 {
            failingStreak = 0
            health = .healthy
        } else if health != .starting || now >= startTime && now - startTime >= UInt64.milliseconds(check.startPeriod) {
            failingStreak = failingStreak == .max ? .max : failingStreak + 1
            if failingStreak >= max(check.retries, 1) { health = .unhealthy }
        }
        return health != before
    }
}

/// Keeps the beginning of what a probe writes.
final class ProbeOutput: OutputSink {
    private var bytes: [UInt8] = []

    static let limit = 4096

    var text: String { String(decoding: bytes, as: UTF8.self) }

    func take(_ more: UnsafeRawBufferPointer, _ kind: OutputKind) {
        bytes += more.prefix(Self.limit - bytes.count)
    }

    var isFull: Bool { false }
}
