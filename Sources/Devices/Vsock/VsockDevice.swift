import LinuxSystem
import Synchronization
import Virtio

/// virtio-vsock (virtio 1.2, section 5.10), stream sockets, whose host side are unix sockets.
public final class VsockDevice: VirtioDevice {
    private static let streamFeature: UInt64 = 1  // VIRTIO_VSOCK_F_STREAM
    private static let queueSizes: [UInt16] = [256, 256, 16]  // rx, tx, event

    private let guestCID: UInt64
    private let engine: VsockEngine
    private let loop: EventLoop
    /// Whether the next driver is to be told that its connections are gone.
    private let announcesReset = Atomic<Bool>(false)

    /// - Parameters:
    ///   - guestCID: the guest's address, from 3 to 2^32 - 2.
    ///   - host: listens already; the device accepts from now on, and as long as it exists.
    ///   - loop: where all sockets are served. It does not run yet, and no other device uses its `afterRound`.
    ///   - limits: how much of the host the guest and the clients may use.
    public init(
        guestCID: UInt64, host: VsockListeners, loop: EventLoop, limits: VsockLimits = VsockLimits()
    ) throws(Errno) {
        self.guestCID = guestCID
        self.loop = loop
        engine = try VsockEngine(guestCID: guestCID, host: host, loop: loop, limits: limits)
    }

    deinit {
        // The listeners outlive the device, and nobody would take their clients any more. Weak: a loop that has ended keeps
        // the block.
        loop.perform { [weak loop, watches = engine.watches] in
            for watch in watches { loop?.forget(watch) }
        }
    }

    public var type: DeviceType { .socket }
    public var features: UInt64 { Self.streamFeature }
    public var queueSizes: [UInt16] { Self.queueSizes }

    /// struct virtio_vsock_config: guest_cid.
    public var configuration: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: guestCID >> UInt64(8 * $0)) }
    }

    public func activate(_ context: DeviceContext) {
        loop.performAndWait { [engine] in engine.start(context) }
        if announcesReset.exchange(false, ordering: .relaxed) { VsockEvent.announceReset(context) }
    }

    /// Connections are kept, and with them what waits in their sockets.
    public func suspend() {
        loop.performAndWait { [engine] in engine.isSuspended = true }
    }

    /// Connections end where their other sides stay: a restored driver is told so.
    public func restore(_ saved: [UInt8]) throws(SavedStateError) {
        try VsockEvent.check(saved)
        announcesReset.store(true, ordering: .relaxed)
    }

    /// Closes all connections; the listeners stay.
    public func reset() {
        loop.performAndWait { [engine] in engine.stop() }
    }
}

/// What the guest and the host's clients may use of this process.
public struct VsockLimits: Sendable {
    /// Connections of all kinds, each with one descriptor; what comes beyond it is refused.
    public var connections: Int
    /// Clients that have not finished their CONNECT line; beyond it, the oldest goes.
    public var handshakes: Int

    /// - Parameter connections: no more than half of the descriptors that the process may have, but for some that others need.
    public init(connections: Int = 16384, handshakes: Int = 1024) {
        self.connections = max(1, min(connections, CurrentProcess.descriptorLimit() / 2 - Self.otherDescriptors))
        self.handshakes = max(1, handshakes)
    }

    private static let otherDescriptors = 128

    /// Bytes of buffer for what the guest sends and the host does not take, of a connection made when there are `count`: all
    /// of them full take 16 MiB with 64 connections, 76 MiB with 1024 and 316 MiB with 16384.
    static func allocation(existing count: Int) -> Int {
        switch count {
        case ..<64: 256 << 10
        case ..<1024: 64 << 10
        default: 16 << 10
        }
    }
}
