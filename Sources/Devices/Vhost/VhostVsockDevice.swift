import GuestMemory
import LinuxSystem
import Virtio

/// virtio-vsock (virtio 1.2, section 5.10) whose queues the host's kernel serves: the guest is reached by AF_VSOCK sockets.
public final class VhostVsockDevice: VirtioDevice {
    public let type = DeviceType.socket
    public var features: UInt64 { backend.features }
    /// Receiving, sending, and events, of which there are none.
    public let queueSizes: [UInt16] = [256, 256, 64]

    private let backend: VhostVsock

    public init(_ backend: VhostVsock) {
        self.backend = backend
    }

    /// The guest's address (guest_cid), 64 bits.
    public var configuration: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: UInt64(backend.contextID) >> (8 * $0)) }
    }

    public func activate(_ context: DeviceContext) {
        guard let receiving = context.queues[0], let sending = context.queues[1] else { return }
        let line = context.interrupt.delegate()
        let queues = zip([receiving, sending], context.kicks).map { queue, kick in
            let host = queue.hostAddresses
            return VhostFile.Queue(size: queue.size, table: host.table, available: host.available, used: host.used,
                                   kick: kick.raw, call: line)
        }
        var regions: [VhostFile.Region] = []
        context.memory.forEachRegion { region, host in
            regions.append(VhostFile.Region(guestAddress: region.start, count: region.count, host: host))
        }
        do throws(Errno) {
            try backend.start(features: context.features, memory: regions, queues: queues)
            // Chains may have been made available before the kernel looked.
            for kick in context.kicks { kick.signal() }
        } catch {
            context.interrupt.fail()
        }
    }

    public func reset() {
        backend.reset()
    }
}
