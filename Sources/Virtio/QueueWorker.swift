import LinuxSystem
import Synchronization

/// Serves the queues of one device on an event loop: what every device does around its own requests.
///
/// `start` and `stop` are for threads other than the loop's.
public final class QueueWorker: @unchecked Sendable {
    // Sound: `watches` is touched on the loop's thread only.
    /// Handles one request: returns the bytes written into the chain. Throwing stops the device.
    public typealias Handler = (DescriptorChain) throws(QueueError) -> Int

    private let loop: EventLoop
    private var watches: [EventLoop.Token] = []
    /// Cuts short the round that is being served, which otherwise could hold as much work as fits into a ring.
    private let stopping = Atomic<Bool>(false)

    /// Chains that are served at a stretch, before others on the loop have their turn.
    private let turn: UInt16

    /// - Parameter turn: chains that are served at a stretch; a ring's worth where it is nil.
    public init(loop: EventLoop, turn: UInt16? = nil) {
        self.loop = loop
        self.turn = turn ?? .max
    }

    /// Serves every queue of the context that is set up with the handler, each in the order of its chains.
    public func start(_ context: DeviceContext, _ handler: @escaping @Sendable (DescriptorChain) throws(QueueError) -> Int) {
        stopping.store(false, ordering: .sequentiallyConsistent)
        loop.performAndWait { [self] in
            for (queue, kick) in zip(context.queues, context.kicks) {
                guard let queue else { continue }
                let chain = DescriptorChain(capacity: Int(queue.size))
                let takeKick: EventLoop.Handler = { [self] _ in
                    kick.take()
                    do throws(QueueError) {
                        if try serve(queue, chain, context.interrupt, handler) { kick.signal() }
                    } catch {
                        endWatches()
                        context.interrupt.fail()
                    }
                }
                guard let watch = try? loop.watch(kick.raw, for: .readable, takeKick) else {
                    context.interrupt.fail()
                    continue
                }
                watches.append(watch)
                // Chains may have been made available before the kick was watched.
                kick.signal()
            }
        }
    }

    /// When it returns, no handler runs any more.
    public func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        loop.performAndWait { [self] in endWatches() }
    }

    private func endWatches() {
        for watch in watches { loop.forget(watch) }
        watches = []
    }

    /// Serves what is available, at most one ring's worth, so that a guest that never stops adding cannot keep the loop
    /// from its other duties; true when more may be left.
    private func serve(
        _ queue: Virtqueue, _ chain: DescriptorChain, _ interrupt: DeviceInterrupt, _ handler: Handler
    ) throws(QueueError) -> Bool {
        queue.disableKicks()
        var left = min(queue.size, turn)
        while left > 0, !stopping.load(ordering: .relaxed), try queue.next(chain) {
            left -= 1
            let written = try handler(chain)
            queue.push(head: chain.head, written: written)
            if queue.shouldNotifyDriver() { interrupt.notifyUsedBuffers() }
        }
        return queue.enableKicks()
    }
}
