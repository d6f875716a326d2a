import GuestMemory
import LinuxSystem
import Synchronization
import Virtio

/// virtio-vsock (virtio 1.2, section 5.10) whose queues the host's kernel serves: the guest is reached by AF_VSOCK sockets.
public final class VhostVsockDevice: VirtioDevice {
    public let type = DeviceType.socket
    public var features: UInt64 { backend.features }
    /// Receiving, sending, and events, of which there are none.
    public let queueSizes: [UInt16] = [256, 256, 64]

    private let backend: VhostVsock
    private let state = Mutex(State())

    private struct Served: @unchecked Sendable {
        // Sound: touched again only when the kernel has let go of them.
        let queues: [Virtqueue]
    }

    private struct State {
        /// Of an active device: what the kernel serves.
        var served = Served(queues: [])
        /// Whether the driver is to be told that its connections are gone.
        var announcesReset = false
    }

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
                                   base: queue.place.nextAvailable, kick: kick.raw, call: line)
        }
        var regions: [VhostFile.Region] = []
        context.memory.forEachRegion { region, host in
            regions.append(VhostFile.Region(guestAddress: region.start, count: region.count, host: host))
        }
        do throws(Errno) {
            try backend.start(features: context.features, memory: regions, queues: queues)
            // Chains may have been made available before the kernel looked.
            for kick in context.kicks { kick.signal() }
            let served = Served(queues: [receiving, sending])
            let announcesReset = state.withLock { state in
                state.served = served
                defer { state.announcesReset = false }
                return state.announcesReset
            }
            if announcesReset { VsockEvent.announceReset(context) }
        } catch {
            context.interrupt.fail()
        }
    }

    public func reset() {
        state.withLock { $0 = State() }
        backend.reset()
    }

    public func suspend() {
        let queues = state.withLock { state in
            defer { state.served = Served(queues: []) }
            return state.served
        }.queues
        guard let bases = backend.suspend(queueCount: queues.count) else { return }
        for (queue, base) in zip(queues, bases) { queue.takeOver(nextAvailable: base) }
    }

    /// Connections end where their other sides stay: a restored driver is told so.
    public func restore(_ saved: [UInt8]) throws(SavedStateError) {
        try VsockEvent.check(saved)
        state.withLock { $0.announcesReset = true }
    }
}
