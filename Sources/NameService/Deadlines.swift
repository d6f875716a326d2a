import LinuxSystem

/// What is to happen on a loop later, unless it is cancelled: some hundred at a time. On the loop's thread.
final class Deadlines {
    typealias Identifier = UInt64

    private let loop: EventLoop
    private let timer: OneShotTimer
    private var token: EventLoop.Token?
    private var pending: [Identifier: (time: UInt64, action: () -> Void)] = [:]
    private var next: Identifier = 1
    /// When the timer fires; nil: not armed.
    private var armed: UInt64?

    init(_ loop: EventLoop) throws(Errno) {
        self.loop = loop
        timer = try OneShotTimer()
        token = try loop.watch(timer.raw, for: .readable) { [unowned self] _ in fire() }
    }

    func close() {
        if let token { loop.forget(token) }
        token = nil
        pending = [:]
    }

    /// - Parameter delay: nanoseconds from now.
    func add(after delay: UInt64, _ action: @escaping () -> Void) -> Identifier {
        let identifier = next
        next += 1
        let now = Clock.monotonicNanoseconds()
        let time = now &+ delay
        pending[identifier] = (time, action)
        if armed.map({ time < $0 }) ?? true { arm(time, now) }
        return identifier
    }

    /// Without effect for one that is past.
    func cancel(_ identifier: Identifier) {
        pending[identifier] = nil
    }

    private func arm(_ time: UInt64, _ now: UInt64) {
        armed = time
        timer.arm(nanoseconds: time > now ? time - now : 1)
    }

    private func fire() {
        timer.take()
        armed = nil
        let now = Clock.monotonicNanoseconds()
        let due = pending.filter { $0.value.time <= now }.sorted { ($0.value.time, $0.key) < ($1.value.time, $1.key) }
        for (identifier, entry) in due where pending.removeValue(forKey: identifier) != nil { entry.action() }
        let first = pending.values.lazy.map(\.time).min()
        if let first, armed.map({ first < $0 }) ?? true { arm(first, Clock.monotonicNanoseconds()) }
    }
}
