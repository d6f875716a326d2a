import LinuxSystem
import Synchronization
import Virtio

/// A device that counts what the transport does to it, and serves its queues if it is given a loop and a handler.
final class TestDevice: VirtioDevice {
    typealias Handler = @Sendable (DescriptorChain) throws(QueueError) -> Int

    let type: DeviceType = .entropy
    let features: UInt64
    let queueSizes: [UInt16]
    let configuration: [UInt8]

    struct Log {
        var activations = 0
        var resets = 0
        var features: UInt64 = 0
        var queueSizes: [UInt16?] = []
    }

    let log = Mutex(Log())
    private let worker: QueueWorker?
    private let handler: Handler

    init(features: UInt64 = 0, queueSizes: [UInt16] = [8], configuration: [UInt8] = [], loop: EventLoop? = nil,
         _ handler: @escaping Handler = { (chain) throws(QueueError) in chain.writableCount }) {
        self.features = features
        self.queueSizes = queueSizes
        self.configuration = configuration
        worker = loop.map { QueueWorker(loop: $0) }
        self.handler = handler
    }

    var activations: Int { log.withLock { $0.activations } }
    var resets: Int { log.withLock { $0.resets } }

    func activate(_ context: DeviceContext) {
        log.withLock {
            $0.activations += 1
            $0.features = context.features
            $0.queueSizes = context.queues.map { $0?.size }
        }
        worker?.start(context, handler)
    }

    func reset() {
        log.withLock { $0.resets += 1 }
        worker?.stop()
    }
}
