import GuestMemory
import LinuxSystem
import Virtio

/// virtio-rng (virtio 1.2, section 5.4): the host kernel's random bytes.
public final class EntropyDevice: VirtioDevice {
    /// What one request gets at the most, however much it asks for: nothing grows with the guest's wishes, and the driver
    /// asks again for more.
    public static let requestLimit = 64 << 10

    private let worker: QueueWorker

    /// - Parameter loop: where requests are served.
    public init(loop: EventLoop) {
        worker = QueueWorker(loop: loop)
    }

    public var type: DeviceType { .entropy }
    public var features: UInt64 { 0 }
    public var queueSizes: [UInt16] { [64] }
    public var configuration: [UInt8] { [] }

    public func activate(_ context: DeviceContext) {
        worker.start(context) { (chain) throws(QueueError) in try Self.fill(chain) }
    }

    public func reset() {
        worker.stop()
    }

    private static func fill(_ chain: DescriptorChain) throws(QueueError) -> Int {
        guard chain.writableCount > 0 else { throw .request }
        var done = 0
        chain.forEachSlice(writable: true, from: 0, count: min(chain.writableCount, requestLimit)) { slice in
            // getrandom(2) writes straight into guest memory; it cannot fail for memory that is mapped.
            guard (try? fillWithRandomBytes(slice.buffer)) != nil else { return false }
            done += slice.count
            return true
        }
        return done
    }
}
