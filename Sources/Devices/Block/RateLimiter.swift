import LinuxSystem
import Synchronization

/// How much a disk may do: requests and bytes in a second, and how many at once after a pause. nil is no limit.
public struct DiskRates: Equatable, Sendable {
    public struct Rate: Equatable, Sendable {
        /// In a second, at least 1.
        public let perSecond: UInt64
        /// At once, at least 1.
        public let burst: UInt64

        /// - Parameter burst: a tenth of a second's worth where it is nil.
        public init(perSecond: UInt64, burst: UInt64? = nil) {
            self.perSecond = max(perSecond, 1)
            self.burst = max(burst ?? perSecond / 10, 1)
        }
    }

    public var requests: Rate?
    public var bytes: Rate?

    public init(requests: Rate? = nil, bytes: Rate? = nil) {
        self.requests = requests
        self.bytes = bytes
    }
}

/// A token bucket, kept as the time at which it will be full again.
///
/// Whoever takes tokens that are not there yet is told how long to wait for them, and has them then: waiters are served in
/// the order in which they came, and none waits twice.
struct TokenBucket {
    private let rate: DiskRates.Rate
    /// Nanoseconds that it takes to fill from empty.
    private let fillTime: UInt64
    private var fullAt: UInt64 = 0

    init(_ rate: DiskRates.Rate) {
        self.rate = rate
        fillTime = Self.nanoseconds(rate.burst, rate.perSecond)
    }

    /// Takes tokens; returns the nanoseconds until they are there. More than the bucket holds can be taken, too.
    ///
    /// - Parameter now: `Clock.monotonicNanoseconds`, never less than before.
    mutating func take(_ count: UInt64, now: UInt64) -> UInt64 {
        let start = max(fullAt, now)
        let (end, overflow) = start.addingReportingOverflow(Self.nanoseconds(count, rate.perSecond))
        fullAt = overflow ? .max : end
        let level = fullAt - now
        return level > fillTime ? level - fillTime : 0
    }

    /// At most some 292 years.
    private static func nanoseconds(_ count: UInt64, _ perSecond: UInt64) -> UInt64 {
        let (high, low) = count.multipliedFullWidth(by: 1_000_000_000)
        guard high < perSecond else { return UInt64(Int64.max) }
        return min(perSecond.dividingFullWidth((high, low)).quotient, UInt64(Int64.max))
    }
}

/// The limits of one disk, which its queues share. From any thread; taking allocates nothing.
final class RateLimiter: Sendable {
    private struct State {
        var requests: TokenBucket?
        var bytes: TokenBucket?
    }

    private let state: Mutex<State>

    /// nil where there is nothing to limit.
    init?(_ rates: DiskRates) {
        guard rates.requests != nil || rates.bytes != nil else { return nil }
        state = Mutex(State(requests: rates.requests.map { TokenBucket($0) }, bytes: rates.bytes.map { TokenBucket($0) }))
    }

    /// Takes a request of so many bytes; returns the nanoseconds until it may start.
    func take(bytes: Int) -> UInt64 {
        let now = Clock.monotonicNanoseconds()
        return state.withLock { state in
            let first = state.requests?.take(1, now: now) ?? 0
            let second = state.bytes?.take(UInt64(clamping: bytes), now: now) ?? 0
            return max(first, second)
        }
    }
}
