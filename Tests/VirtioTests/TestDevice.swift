import LinuxSystem
import Synchronization
import Virtio

/// A device that counts what the transport does to it, and serves its queues if it is given a loop and a handler.
final class TestDevice: VirtioDevice {
    typealias Handler = @Sendable (DescriptorChain) throws(QueueError) -> Int

    let type: DeviceType = .entropy
    let features: UInt64
    let queueSizes: [UInt16]
    private let space: Mutex<[UInt8]>

    struct Log {
        var activations = 0
        var resets = 0
        var features: UInt64 = 0
        var queueSizes: [UInt16?] = []
        var interrupt: DeviceInterrupt?
    }

    let log = Mutex(Log())
    private let worker: QueueWorker?
    private let handler: Handler

    init(features: UInt64 = 0, queueSizes: [UInt16] = [8], configuration: [UInt8] = [], loop: EventLoop? = nil,
         _ handler: @escaping Handler = { (chain) throws(QueueError) in chain.writableCount }) {
        self.features = features
        self.queueSizes = queueSizes
        space = Mutex(configuration)
        worker = loop.map { QueueWorker(loop: $0) }
        self.handler = handler
    }

    var configuration: [UInt8] {
        get { space.withLock { $0 } }
        set { space.withLock { $0 = newValue } }
    }

    func writeConfiguration(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        space.withLock { space in
            for (index, byte) in bytes.enumerated() { space[offset + index] = byte }
        }
    }

    var activations: Int { log.withLock { $0.activations } }
    var resets: Int { log.withLock { $0.resets } }

    func activate(_ context: DeviceContext) {
        log.withLock {
            $0.activations += 1
            $0.features = context.features
            $0.queueSizes = context.queues.map { $0?.size }
            $0.interrupt = context.interrupt
        }
        worker?.start(context, handler)
    }

    func reset() {
        log.withLock { $0.resets += 1 }
        worker?.stop()
    }
}
