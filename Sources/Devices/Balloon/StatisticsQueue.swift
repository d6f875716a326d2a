import LinuxSystem
import Virtio

/// The balloon's statistics queue, which works backwards (virtio 1.2, 5.5.6.3): the device keeps the driver's one buffer, and
/// gives it back to ask for another with new statistics.
///
/// `start` and `stop` are for threads other than the loop's, `ask` for the control thread.
final class StatisticsQueue: @unchecked Sendable {
    // Sound: `active` is touched on the loop's thread only, `shared` is behind the condition's mutex.
    struct Report {
        let statistics: GuestStatistics
        /// `Clock.monotonicNanoseconds`
        let time: UInt64
    }

    private struct Active {
        let queue: Virtqueue
        let chain: DescriptorChain
        let interrupt: DeviceInterrupt
        let watch: EventLoop.Token
        /// The buffer that the device keeps.
        var head: UInt16?
    }

    private struct Shared {
        var latest: Report?
        /// Whether the device has a buffer that it can give back.
        var canAsk = false
    }

    private let loop: EventLoop
    private var active: Active?
    private let condition = Condition()
    private var shared = Shared()

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// - Parameter context: with this queue alone.
    func start(_ context: DeviceContext) {
        loop.performAndWait { [self] in
            guard let queue = context.queues[0] else { return }
            let (kick, interrupt) = (context.kicks[0], context.interrupt)
            let watch = try? loop.watch(kick.raw, for: .readable) { [unowned self] _ in
                kick.take()
                take(kick)
            }
            guard let watch else { return interrupt.fail() }
            active = Active(queue: queue, chain: DescriptorChain(capacity: Int(queue.size)), interrupt: interrupt, watch: watch)
            // The first buffer may have come before the kick was watched.
            kick.signal()
        }
    }

    /// When it returns, the queue and guest memory are not touched any more, and what the guest said is forgotten.
    func stop() {
        loop.performAndWait { [self] in
            end()
            condition.withLock {
                shared = Shared()
                condition.broadcast()
            }
        }
    }

    /// As `stop`, but the driver's buffer is taken again when the queue goes on, and what the guest said stays.
    func suspend() {
        loop.performAndWait { [self] in
            if let active, active.head != nil { active.queue.putBack(1) }
            end()
            condition.withLock { shared.canAsk = false }
        }
    }

    /// Asks the guest, and waits for its answer at most for a time in nanoseconds. What it said last when it does not answer in
    /// time, has left an earlier question unanswered, or cannot be asked; nil when it has never said anything.
    func ask(waitingFor time: UInt64) -> Report? {
        condition.withLock {
            guard shared.canAsk else { return shared.latest }
            shared.canAsk = false
            loop.perform { [self] in giveBack() }
            let (before, deadline) = (shared.latest, Clock.monotonicNanoseconds() + time)
            while shared.latest?.time == before?.time, condition.wait(until: deadline) {}
            return shared.latest
        }
    }

    private func take(_ kick: EventNotifier) {
        guard var active else { return }
        do throws(QueueError) {
            active.queue.disableKicks()
            // One of the two buffers that a driver may ever have here; what is more waits for its turn.
            if try active.queue.next(active.chain) {
                // A driver that adds a second buffer gets the first one back.
                if let head = active.head { push(head, active) }
                active.head = active.chain.head
                let report = Report(statistics: GuestStatistics(reading: active.chain), time: Clock.monotonicNanoseconds())
                condition.withLock {
                    shared = Shared(latest: report, canAsk: true)
                    condition.broadcast()
                }
            }
            self.active = active
            if active.queue.enableKicks() { kick.signal() }
        } catch {
            active.interrupt.fail()
            end()
            condition.withLock { shared.canAsk = false }
        }
    }

    private func giveBack() {
        guard var active, let head = active.head else { return }
        active.head = nil
        self.active = active
        push(head, active)
    }

    private func push(_ head: UInt16, _ active: Active) {
        active.queue.push(head: head, written: 0)
        if active.queue.shouldNotifyDriver() { active.interrupt.notifyUsedBuffers() }
    }

    private func end() {
        if let active { loop.forget(active.watch) }
        active = nil
    }
}
