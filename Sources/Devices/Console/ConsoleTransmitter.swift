import Virtio

/// The transmit queue of a console while its driver is active. For the vCPU threads, one at a time.
final class ConsoleTransmitter: @unchecked Sendable {
    // Sound: the device calls `takeAll` with its mutex held only.
    /// What of one request is taken: its last MiB. No driver sends as much; a guest that names all of its memory as one line
    /// must not keep its own processor in the monitor for minutes.
    static let requestLimit = 1 << 20

    private let queue: Virtqueue
    private let chain: DescriptorChain
    private let interrupt: DeviceInterrupt
    private let output: ConsoleDevice.OutputHandler

    init(_ queue: Virtqueue, _ interrupt: DeviceInterrupt, _ output: @escaping ConsoleDevice.OutputHandler) {
        self.queue = queue
        chain = DescriptorChain(capacity: Int(queue.size))
        self.interrupt = interrupt
        self.output = output
    }

    /// Takes all that is there, and what comes meanwhile: from other vCPUs only, so that it ends when they do.
    func takeAll() throws(QueueError) {
        repeat {
            while try queue.next(chain) {
                try take()
                queue.push(head: chain.head, written: 0)
                if queue.shouldNotifyDriver() { interrupt.notifyUsedBuffers() }
            }
        } while queue.enableKicks()
    }

    private func take() throws(QueueError) {
        // 5.3.6.1: nothing for the device to write.
        guard chain.writableCount == 0 else { throw .request }
        let skipped = max(chain.readableCount - Self.requestLimit, 0)
        chain.forEachSlice(writable: false, from: skipped, count: Self.requestLimit) { slice in
            output(UnsafeRawBufferPointer(slice.buffer))
            return true
        }
    }
}
