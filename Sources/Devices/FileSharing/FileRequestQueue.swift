import LinuxSystem
import NineP
import Synchronization
import Virtio

/// The queue of a 9P device while its driver is active, and the threads that serve it.
///
/// The threads wait for the same kick, which wakes one of them: it takes a request and serves it itself, so that a lone request
/// costs no hand-over. Only when there is more to take does it wake another.
final class FileRequestQueue: @unchecked Sendable {
    // Sound: `queue`, `hasFailed` and `waiting` are touched with `lock` held only; the rest is constant or synchronised itself.
    private let queue: Virtqueue
    private var hasFailed = false
    /// Threads that wait for a kick, or are about to.
    private var waiting = 0
    private let lock = Mutex(())
    private let interrupt: DeviceInterrupt
    private let kick: EventNotifier
    private let wakeUps: SharedWait
    let session: NinePSession
    private let isStopping = Atomic<Bool>(false)
    private let finished = Mutex<[Gate]>([])

    init(_ queue: Virtqueue, _ context: DeviceContext, session: NinePSession) throws(Errno) {
        self.queue = queue
        interrupt = context.interrupt
        kick = context.kicks[0]
        wakeUps = try SharedWait(kick.raw)
        self.session = session
    }

    /// Starts the threads. Those that could be started are stopped by `stop` also when it throws.
    func start(threadCount: Int) throws(Errno) {
        session.isPatient = true
        for index in 0..<threadCount {
            let gate = Gate()
            _ = try Thread(name: "9p-\(index)") { [self] in
                work()
                gate.open()
            }
            finished.withLock { $0.append(gate) }
        }
        // Chains may have been made available before anybody waited.
        kick.signal()
    }

    /// When it returns, no request is under way, and all that the client held is closed. Requests that were taken have been
    /// answered, as by `suspend`.
    func stop() {
        suspend()
        session.reset()
    }

    /// Takes no more requests, and waits for those under way: when it returns, the reply to every one that was taken is in the used
    /// ring. One that waits for a lock is answered P9_LOCK_BLOCKED now: Linux asks again after half a minute. The session stays as
    /// it is.
    func suspend() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        session.isPatient = false
        wakeUps.close()
        for gate in finished.withLock({ $0 }) { gate.wait() }
    }

    private func work() {
        let chain = DescriptorChain(capacity: Int(queue.size))
        let worker = NinePWorker(session: session, vectorCapacity: Int(queue.size))
        while true {
            while let ticket = take(chain) {
                let written = worker.serve(ticket, chain)
                give(chain, written: written)
                session.finish(ticket)
            }
            if !wakeUps.wait() { return }
            lock.withLock { _ in waiting -= 1 }
        }
    }

    /// The next request, in the order of the ring; nil when there is none. The thread then waits for a kick: it is counted before
    /// the lock is free, so that whoever finds more than one request next wakes it.
    private func take(_ chain: DescriptorChain) -> NinePTicket? {
        lock.withLock { _ in
            do throws(QueueError) {
                while !hasFailed, !isStopping.load(ordering: .relaxed) {
                    let isTaken = try queue.next(chain)
                    // Every chain is to be kicked: while this thread is busy with one, another can serve the next.
                    let hasMore = queue.enableKicks()
                    guard isTaken else {
                        if hasMore { continue }
                        break
                    }
                    if hasMore, waiting > 0 { kick.signal() }
                    if let ticket = session.admit(chain) { return ticket }
                    // No message, and no room to say so.
                    finish(chain, written: 0)
                }
            } catch {
                hasFailed = true
                interrupt.fail()
            }
            waiting += 1
            return nil
        }
    }

    private func give(_ chain: DescriptorChain, written: Int) {
        lock.withLock { _ in finish(chain, written: written) }
    }

    /// With the lock held.
    private func finish(_ chain: DescriptorChain, written: Int) {
        queue.push(head: chain.head, written: written)
        if queue.shouldNotifyDriver() { interrupt.notifyUsedBuffers() }
    }
}
