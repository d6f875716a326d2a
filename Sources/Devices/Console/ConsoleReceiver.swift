import LinuxSystem
import Synchronization
import Virtio

/// The receive queue of a console: the buffers that the driver has put there for input.
///
/// The console's thread fills them itself, so that a key costs no hand-over to another thread. Kicks are asked for only when
/// input waits for buffers.
final class ConsoleReceiver: @unchecked Sendable {
    // Sound: `active` and all that it holds are touched with the lock held only.
    private struct Active {
        let queue: Virtqueue
        let chain: DescriptorChain
        let interrupt: DeviceInterrupt
    }

    private let lock = Mutex(())
    private var active: Active?

    func start(_ queue: Virtqueue, _ interrupt: DeviceInterrupt) {
        let active = Active(queue: queue, chain: DescriptorChain(capacity: Int(queue.size)), interrupt: interrupt)
        lock.withLock { _ in self.active = active }
    }

    /// When it returns, the queue and guest memory are not touched any more.
    func stop() {
        lock.withLock { _ in active = nil }
    }

    /// Fills buffers; returns how many bytes there was room for. Where that is not all, the next buffer is kicked.
    func receive(_ bytes: ArraySlice<UInt8>) -> Int {
        lock.withLock { _ in
            guard let active else { return 0 }
            var done = 0
            do throws(QueueError) {
                try fill(active, bytes, &done)
            } catch {
                self.active = nil
                active.interrupt.fail()
            }
            if done > 0, active.queue.shouldNotifyDriver() { active.interrupt.notifyUsedBuffers() }
            return done
        }
    }

    private func fill(_ active: Active, _ bytes: ArraySlice<UInt8>, _ done: inout Int) throws(QueueError) {
        let (queue, chain) = (active.queue, active.chain)
        queue.disableKicks()
        while done < bytes.count {
            guard try queue.next(chain) else {
                // Buffers that came before the wish for a kick was seen come without one.
                if queue.enableKicks() { continue }
                return
            }
            // A buffer with no room would be used up for nothing, again and again.
            guard chain.readableCount == 0, chain.writableCount > 0 else { throw .request }
            let count = bytes.dropFirst(done).withUnsafeBytes { chain.write($0, at: 0) }
            queue.push(head: chain.head, written: count)
            done += count
        }
    }
}
