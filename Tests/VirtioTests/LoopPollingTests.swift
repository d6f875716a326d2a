import LinuxSystem
import Synchronization
import TestSupport
import Testing

@Suite("Polling of an event loop")
struct LoopPollingTests {
    /// What a poller of the tests counts; touched by the loop's thread, and read by the test's.
    private final class Counts: Sendable {
        let pending = Atomic<Int>(0)
        let looks = Atomic<Int>(0)
        let served = Atomic<Int>(0)
        let sleeps = Atomic<Int>(0)
        let looksAtSleep = Atomic<Int>(0)
        let looksAsleep = Atomic<Int>(0)
        let done: EventNotifier

        init() throws { done = try EventNotifier() }

        func poller(prepareToSleep: @escaping (Counts) -> Bool) -> Poller {
            Poller(
                hasWork: { [self] in
                    looks.add(1, ordering: .relaxed)
                    return pending.load(ordering: .acquiring) > 0
                },
                serve: { [self] in
                    pending.subtract(1, ordering: .relaxed)
                    served.add(1, ordering: .relaxed)
                },
                prepareToSleep: { [self] in
                    sleeps.add(1, ordering: .relaxed)
                    looksAtSleep.store(looks.load(ordering: .relaxed), ordering: .relaxed)
                    return prepareToSleep(self)
                },
                wake: { [self] in
                    let looked = looks.load(ordering: .relaxed) - looksAtSleep.load(ordering: .relaxed)
                    looksAsleep.add(looked, ordering: .relaxed)
                })
        }
    }

    @Test("work that appears as the loop goes to sleep is served, though nobody signals it")
    func race() throws {
        let counts = try Counts()
        let rounds = 1000
        let thread = try LoopThread { loop in
            _ = loop.poll(counts.poller { counts in
                // Between the last look and the request for signals.
                if counts.served.load(ordering: .relaxed) == rounds {
                    counts.done.signal()
                    return false
                }
                counts.pending.add(1, ordering: .releasing)
                return true
            })
        }
        try waitUntilReadable(counts.done.raw, "all work")
        #expect(counts.served.load(ordering: .relaxed) == rounds)
        #expect(counts.pending.load(ordering: .relaxed) == 0)
        withExtendedLifetime(thread) {}
    }

    @Test("a loop that sleeps looks for nothing, and after a long sleep it looks once")
    func idle() throws {
        let counts = try Counts()
        let timer = try OneShotTimer()
        let looksAtTimer = Atomic<Int>(-1)
        let thread = try LoopThread { loop in
            _ = try loop.watch(timer.raw, for: .readable) { _ in
                timer.take()
                looksAtTimer.store(counts.looks.load(ordering: .relaxed), ordering: .relaxed)
            }
            _ = loop.poll(counts.poller { counts in
                if looksAtTimer.load(ordering: .relaxed) >= 0 {
                    counts.done.signal()
                } else {
                    timer.arm(nanoseconds: 50_000_000)
                }
                return false
            })
        }
        try waitUntilReadable(counts.done.raw, "the second sleep")
        #expect(counts.looksAsleep.load(ordering: .relaxed) == 0)
        #expect(counts.looksAtSleep.load(ordering: .relaxed) - looksAtTimer.load(ordering: .relaxed) == 1)
        withExtendedLifetime(thread) {}
    }

    @Test("a poller that is forgotten by its own work is not called again, and the others are")
    func forgotten() throws {
        let (first, second) = (try Counts(), try Counts())
        first.pending.store(5, ordering: .relaxed)
        second.pending.store(5, ordering: .relaxed)
        let thread = try LoopThread { loop in
            nonisolated(unsafe) var token: EventLoop.Token?
            token = loop.poll(Poller(
                hasWork: { first.pending.load(ordering: .relaxed) > 0 },
                serve: {
                    first.served.add(1, ordering: .relaxed)
                    if let token { loop.forget(token) }
                },
                prepareToSleep: { false }, wake: {}))
            _ = loop.poll(second.poller { counts in
                counts.done.signal()
                return false
            })
        }
        try waitUntilReadable(second.done.raw, "the other's work")
        #expect(first.served.load(ordering: .relaxed) == 1)
        #expect(second.served.load(ordering: .relaxed) == 5)
        withExtendedLifetime(thread) {}
    }
}
