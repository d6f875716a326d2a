import LinuxSystem

/// The time, and somebody who says when a certain one has come. On the control loop's thread.
protocol TimeSource: AnyObject {
    /// Nanoseconds; never set.
    var monotonic: UInt64 { get }
    /// Nanoseconds since 1970.
    var realTime: UInt64 { get }
    /// Calls `alarm` at this monotonic time, or soon after it; nil: does not.
    func setAlarm(at time: UInt64?)
    var alarm: () -> Void { get set }
}

/// The host's clocks.
final class SystemTime: TimeSource {
    private let timer: OneShotTimer
    var alarm: () -> Void = {}

    init(_ loop: EventLoop) throws(Errno) {
        timer = try OneShotTimer()
        _ = try loop.watch(timer.raw, for: .readable) { [weak self] _ in
            guard let self, timer.take() else { return }
            alarm()
        }
    }

    var monotonic: UInt64 { Clock.monotonicNanoseconds() }
    var realTime: UInt64 { Clock.realTimeNanoseconds() }

    func setAlarm(at time: UInt64?) {
        guard let time else { return timer.disarm() }
        let now = monotonic
        timer.arm(nanoseconds: time > now ? time - now : 0)
    }
}

/// What is to be done at certain times; each once.
final class Timers {
    /// Names one that was asked for; worth nothing once it has come.
    struct Token: Equatable {
        fileprivate let number: UInt64
    }

    private struct Entry {
        let token: Token
        let time: UInt64
        let body: () -> Void
    }

    private let source: any TimeSource
    /// A few at a time.
    private var entries: [Entry] = []
    private var lastNumber: UInt64 = 0

    init(_ source: any TimeSource) {
        self.source = source
        source.alarm = { [weak self] in self?.fire() }
    }

    var now: UInt64 { source.monotonic }
    /// Nanoseconds since 1970.
    var realTime: UInt64 { source.realTime }

    /// Calls the body once, so many nanoseconds from now.
    func after(_ nanoseconds: UInt64, _ body: @escaping () -> Void) -> Token {
        lastNumber += 1
        let token = Token(number: lastNumber)
        let (time, isNever) = now.addingReportingOverflow(nanoseconds)
        entries.append(Entry(token: token, time: isNever ? .max : time, body: body))
        setAlarm()
        return token
    }

    func cancel(_ token: inout Token?) {
        guard let old = token else { return }
        token = nil
        entries.removeAll { $0.token == old }
        setAlarm()
    }

    private func setAlarm() {
        source.setAlarm(at: entries.lazy.map(\.time).min())
    }

    private func fire() {
        let now = now
        let due = entries.filter { $0.time <= now }.sorted { $0.time < $1.time }
        // One may cancel another.
        for entry in due where entries.contains(where: { $0.token == entry.token }) {
            entries.removeAll { $0.token == entry.token }
            entry.body()
        }
        setAlarm()
    }
}

extension UInt64 {
    /// So many seconds in nanoseconds.
    static func seconds(_ count: UInt64) -> UInt64 { count.times(1_000_000_000) }

    static func milliseconds(_ count: UInt64) -> UInt64 { count.times(1_000_000) }

    private func times(_ other: UInt64) -> UInt64 {
        let (product, isTooMuch) = multipliedReportingOverflow(by: other)
        return isTooMuch ? .max : product
    }
}
