import GuestMemory
import LinuxSystem
import Virtio

/// virtio-rng (virtio 1.2, section 5.4): the host kernel's random bytes.
public final class EntropyDevice: VirtioDevice {
    /// What one request gets at the most, however much it asks for: nothing grows with the guest's wishes, and the driver
    /// asks again for more.
    public static let requestLimit = 64 << 10

    private let worker: QueueWorker
    private let limitedQueue: LimitedEntropyQueue?

    /// - Parameters:
    ///   - loop: where requests are served.
    ///   - rate: what the guest gets in a second at the most, in bytes, at least 1; nil: no limit.
    public init(loop: EventLoop, bytesPerSecond rate: UInt64? = nil) throws(Errno) {
        worker = QueueWorker(loop: loop)
        limitedQueue = try rate.map { (rate) throws(Errno) in try LimitedEntropyQueue(loop: loop, bytesPerSecond: rate) }
    }

    public var type: DeviceType { .entropy }
    public var features: UInt64 { 0 }
    public var queueSizes: [UInt16] { [64] }
    public var configuration: [UInt8] { [] }

    public func activate(_ context: DeviceContext) {
        if let limitedQueue { return limitedQueue.start(context) }
        worker.start(context) { (chain) throws(QueueError) in try Self.fill(chain) }
    }

    public func reset() {
        worker.stop()
        limitedQueue?.stop()
    }

    public func suspend() {
        worker.stop()
        limitedQueue?.suspend()
    }

    /// Fills the buffers as far as `limit`; returns the bytes.
    static func fill(_ chain: DescriptorChain, limit: Int = requestLimit) throws(QueueError) -> Int {
        guard chain.writableCount > 0 else { throw .request }
        var done = 0
        chain.forEachSlice(writable: true, from: 0, count: min(chain.writableCount, limit)) { slice in
            // getrandom(2) writes straight into guest memory; it cannot fail for memory that is mapped.
            guard (try? fillWithRandomBytes(slice.buffer)) != nil else { return false }
            done += slice.count
            return true
        }
        return done
    }
}
