/// Work of an `EventLoop` that can be looked for in memory, such as a ring that a guest fills: while the loop looks, nobody has
/// to signal a descriptor. All calls are on the loop's thread.
public struct Poller {
    let hasWork: () -> Bool
    let serve: () -> Void
    let prepareToSleep: () -> Bool
    let wake: () -> Void

    /// - Parameters:
    ///   - hasWork: cheap, and without a system call: true when `serve` would find something to do.
    ///   - serve: does a bounded part of it.
    ///   - prepareToSleep: has work that comes from now on signalled; true when there is some already, whose signal may never
    ///     come.
    ///   - wake: signals are of no use any more.
    public init(
        hasWork: @escaping () -> Bool, serve: @escaping () -> Void, prepareToSleep: @escaping () -> Bool,
        wake: @escaping () -> Void
    ) {
        self.hasWork = hasWork
        self.serve = serve
        self.prepareToSleep = prepareToSleep
        self.wake = wake
    }
}

/// How long a loop looks for news before it sleeps: a sleep, a signal and a wake-up cost more than a short wait.
///
/// It looks only where that has a chance: after a sleep that was short, and not where looking has been in vain while the news
/// came soon after. Then it kept somebody from making them: the guest waits for the very processor that the loop looks on.
struct IdlePolling {
    /// Nanoseconds. As long as a signal, a wake-up and what a driver does between two bursts take together.
    static let window: UInt64 = 50_000
    /// A loop that looked for so long was not running all the time.
    private static let interruption: UInt64 = 4 * window
    /// Short sleeps without looking, at the most.
    private static let longestPause: UInt32 = 1024

    /// Not with one processor, where nothing can come while it is in use.
    private let isWorthwhile: Bool
    private var isAwaited = false
    private var wasInVain = false
    /// Short sleeps to go before the next attempt, and after the next one in vain.
    private var pause: UInt32 = 0
    private var nextPause: UInt32 = 1

    init(isWorthwhile: Bool) {
        self.isWorthwhile = isWorthwhile
    }

    /// Whether to look for news now.
    var isOpen: Bool { isAwaited && pause == 0 }

    /// Looking has brought news.
    mutating func noteNews(after nanoseconds: UInt64) {
        if nanoseconds < Self.interruption { nextPause = max(nextPause / 2, 1) } else { takePause() }
    }

    /// Looking has brought none.
    mutating func noteNoNews() { wasInVain = true }

    /// There was a sleep of so long.
    mutating func noteSleep(_ nanoseconds: UInt64) {
        guard isWorthwhile else { return }
        // A longer one would not have been spared by looking, and there is no hurry.
        isAwaited = nanoseconds < Self.window
        guard isAwaited else {
            wasInVain = false
            return
        }
        if pause > 0 { pause -= 1 }
        if wasInVain { takePause() }
    }

    private mutating func takePause() {
        wasInVain = false
        pause = nextPause
        nextPause = min(2 * nextPause, Self.longestPause)
    }
}
