import Virtio

/// What the device tells its driver beside packets (virtio 1.2, 5.10.6.7).
enum VsockEvent {
    private static let queue = 2
    /// VIRTIO_VSOCK_EVENT_TRANSPORT_RESET
    private static let transportReset: UInt32 = 0

    /// All connections are gone, and the guest's address may be another one: for a driver whose machine was restored elsewhere. One
    /// without a buffer for events hears nothing; each of its connections then is answered with a reset when it is used.
    static func announceReset(_ context: DeviceContext) {
        guard context.queues.count > queue, let events = context.queues[queue] else { return }
        let chain = DescriptorChain(capacity: Int(events.size))
        do throws(QueueError) {
            guard try events.next(chain) else { return }
            let size = withUnsafeBytes(of: transportReset.littleEndian) { chain.write($0, at: 0) }
            events.push(head: chain.head, written: size)
            if events.shouldNotifyDriver() { context.interrupt.notifyUsedBuffers() }
        } catch {
            context.interrupt.fail()
        }
    }

    /// A vsock device keeps nothing that another could use.
    static func check(_ saved: [UInt8]) throws(SavedStateError) {
        guard saved.isEmpty else {
            throw SavedStateError("\(saved.count) bytes of a vsock device's state, expected none; it was saved by another version")
        }
    }
}
