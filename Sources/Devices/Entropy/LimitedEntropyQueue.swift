import LinuxSystem
import Synchronization
import Virtio

/// Serves the entropy queue no faster than a token bucket allows. A request whose bytes are not there yet is held back until
/// they are, and those behind it wait in the ring.
///
/// `start` and `stop` are for threads other than the loop's.
final class LimitedEntropyQueue: @unchecked Sendable {
    // Sound: `bucket` and `active` are touched on the loop's thread only.
    private struct Active {
        let queue: Virtqueue
        let chain: DescriptorChain
        let kick: EventNotifier
        let interrupt: DeviceInterrupt
        var watches: [EventLoop.Token]
        /// Whether the chain is a request that waits for the timer.
        var isWaiting = false
    }

    private let loop: EventLoop
    private let timer: OneShotTimer
    /// It outlives resets, which would be a way around it otherwise.
    private var bucket: TokenBucket
    private let requestLimit: Int
    private var active: Active?
    private let stopping = Atomic<Bool>(false)

    init(loop: EventLoop, bytesPerSecond: UInt64) throws(Errno) {
        self.loop = loop
        timer = try OneShotTimer()
        // A second's worth at once: enough for what a kernel reads at its boot.
        bucket = TokenBucket(DiskRates.Rate(perSecond: bytesPerSecond, burst: bytesPerSecond))
        // No request waits longer than about a second for its own bytes.
        requestLimit = Int(min(UInt64(EntropyDevice.requestLimit), max(bytesPerSecond, 1)))
    }

    func start(_ context: DeviceContext) {
        stopping.store(false, ordering: .sequentiallyConsistent)
        loop.performAndWait { [self] in
            guard let queue = context.queues[0] else { return }
            let kick = context.kicks[0]
            active = Active(queue: queue, chain: DescriptorChain(capacity: Int(queue.size)), kick: kick,
                            interrupt: context.interrupt, watches: [])
            do throws(Errno) {
                active?.watches.append(try loop.watch(kick.raw, for: .readable) { [unowned self] _ in
                    kick.take()
                    if active?.isWaiting == false { serve() }
                })
                active?.watches.append(try loop.watch(timer.raw, for: .readable) { [unowned self] _ in
                    if timer.take(), active?.isWaiting == true { serve() }
                })
                kick.signal()
            } catch {
                end()
                context.interrupt.fail()
            }
        }
    }

    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        loop.performAndWait { [self] in end() }
    }

    /// As `stop`, with the request that waits left in the ring: it is taken again when the queue goes on.
    func suspend() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        loop.performAndWait { [self] in
            if let active, active.isWaiting { active.queue.putBack(1) }
            end()
        }
    }

    /// Answers the request that has waited, if there is one, and then at most a ring's worth of others.
    private func serve() {
        guard let active else { return }
        do throws(QueueError) {
            if active.isWaiting { try answer(active) }
            self.active?.isWaiting = false
            active.queue.disableKicks()
            var left = active.queue.size
            while left > 0, !stopping.load(ordering: .relaxed), try active.queue.next(active.chain) {
                left -= 1
                let count = min(active.chain.writableCount, requestLimit)
                guard count > 0 else { throw .request }
                let delay = bucket.take(UInt64(count), now: Clock.monotonicNanoseconds())
                if delay > 0 {
                    self.active?.isWaiting = true
                    return timer.arm(nanoseconds: delay)
                }
                try answer(active)
            }
            if active.queue.enableKicks() { active.kick.signal() }
        } catch {
            active.interrupt.fail()
            end()
        }
    }

    private func answer(_ active: Active) throws(QueueError) {
        let written = try EntropyDevice.fill(active.chain, limit: requestLimit)
        active.queue.push(head: active.chain.head, written: written)
        if active.queue.shouldNotifyDriver() { active.interrupt.notifyUsedBuffers() }
    }

    private func end() {
        timer.disarm()
        for watch in active?.watches ?? [] { loop.forget(watch) }
        active = nil
    }
}
