import GuestMemory
import LinuxSystem
import Synchronization
import Virtio

/// What a network device has beside its backend, for all machines of one monitor.
public struct NetworkSettings: Sendable {
    let mac: EthernetAddress
    let mtu: UInt16?
    let receiveLimiter: RateLimiter?
    let transmitLimiter: RateLimiter?
    let capture: PacketCapture?
    let vhost: VhostNetNode?

    /// - Parameters:
    ///   - mac: six bytes, the device's address.
    ///   - mtu: bytes of a frame behind its Ethernet header, which the guest is told; nil: it assumes 1500.
    ///   - receiveRates, transmitRates: frames and bytes to and from the guest.
    ///   - vhost: has the host's kernel serve the queues, where it can; not with limits or a capture.
    public init(
        mac: [UInt8], mtu: UInt16? = nil, receiveRates: DiskRates = DiskRates(), transmitRates: DiskRates = DiskRates(),
        capture: PacketCapture? = nil, vhost: VhostNetNode? = nil
    ) {
        self.mac = EthernetAddress(mac)
        self.mtu = mtu
        receiveLimiter = RateLimiter(receiveRates)
        transmitLimiter = RateLimiter(transmitRates)
        self.capture = capture
        self.vhost = vhost
    }
}

/// virtio-net (virtio 1.2, section 5.1).
///
/// Threads: a loop for each pair of queues, which devices may share; the first one serves the control queue, too.
public final class NetworkDevice: VirtioDevice {
    private static let queueSize: UInt16 = 256
    private static let controlQueueSize: UInt16 = 64
    private static let linkUp: UInt16 = 1  // VIRTIO_NET_S_LINK_UP

    private struct State {
        var interrupt: DeviceInterrupt?
        var filter: ReceiveFilter
        var vhost: VhostNet?
        /// Pairs of queues that the driver uses.
        var pairCount = 1
        /// What holds again at the next start, of a device that stands still or was restored.
        var kept: NetworkSetup?
    }

    private let settings: NetworkSettings
    private let backend: NetworkBackend
    private let pairs: [NetworkPair]
    private let control: QueueWorker
    private let state: Mutex<State>
    private let offer: NetworkFeatures

    /// - Parameter loops: as many as the backend has pairs of queues.
    public init(_ settings: NetworkSettings, backend: NetworkBackend, loops: [EventLoop]) throws(Errno) {
        self.settings = settings
        self.backend = backend
        control = QueueWorker(loop: loops[0])
        let siblings = Siblings()
        var pairs: [NetworkPair] = []
        for (index, loop) in loops.prefix(backend.maximumPairs).enumerated() {
            pairs.append(try NetworkPair(index, settings, backend, loop: loop) { siblings.stopAll() })
        }
        self.pairs = pairs
        siblings.pairs.withLock { $0 = pairs.map { WeakPair(pair: $0) } }
        state = Mutex(State(filter: ReceiveFilter(own: settings.mac)))
        offer = NetworkFeatures.always.union(backend.offloads).union(settings.mtu == nil ? [] : .mtu)
            .union(pairs.count > 1 ? .multiQueue : [])
        backend.observe { [weak self] in self?.backendChanged() }
    }

    /// The other pairs of a pair that has met a mistake of the driver: a device that needs a reset does nothing more.
    private final class Siblings: Sendable {
        let pairs = Mutex<[WeakPair]>([])

        func stopAll() {
            for pair in pairs.withLock({ $0.compactMap(\.pair) }) { pair.loop.perform { pair.end() } }
        }
    }

    private struct WeakPair: Sendable {
        weak let pair: NetworkPair?
    }

    public var type: DeviceType { .network }
    public var features: UInt64 { offer.rawValue }

    /// Pairs of receiving and sending, then the control queue.
    public var queueSizes: [UInt16] {
        [UInt16](repeating: Self.queueSize, count: 2 * pairs.count) + [Self.controlQueueSize]
    }

    /// struct virtio_net_config up to mtu.
    public var configuration: [UInt8] {
        var bytes = settings.mac.bytes
        for word in [backend.isUp ? Self.linkUp : 0, UInt16(pairs.count), settings.mtu ?? 1500] {
            bytes += [UInt8(truncatingIfNeeded: word), UInt8(truncatingIfNeeded: word >> 8)]
        }
        return bytes
    }

    public func activate(_ context: DeviceContext) {
        let features = NetworkFeatures(rawValue: context.features)
        // Only the first pair is used until the driver says otherwise (5.1.6.5.5).
        let start = NetworkSetup(filter: ReceiveFilter(own: settings.mac), pairCount: 1)
        let setup = state.withLock { state in
            let setup = state.kept ?? start
            state = State(interrupt: context.interrupt, filter: setup.filter, pairCount: setup.pairCount)
            return setup
        }
        let filter = setup.filter
        for index in pairs.indices { try? backend.port(index)?.setAttached(index < setup.pairCount) }
        try? backend.port(0)?.setOffloads(features.tapOffloads)
        serveControl(context, features)
        let usable = features.contains(.multiQueue) ? pairs.count : 1
        if startVhost(context, pairs: usable) { return }
        let largest = features.hasLargeFrames ? FrameSize.maximum
            : FrameHeader.size + FrameSize.ethernetHeader + Int(settings.mtu ?? 1500)
        for (index, pair) in pairs.prefix(usable).enumerated() {
            guard let receive = context.queues[2 * index], let transmit = context.queues[2 * index + 1] else { continue }
            let work = NetworkPair.Work(
                receive: (receive, context.kicks[2 * index]), transmit: (transmit, context.kicks[2 * index + 1]),
                interrupt: context.interrupt, features: features, frameLimit: largest, filter: filter, memory: context.memory)
            // Sound: the queues are handed over to the pair's thread, and used nowhere else.
            nonisolated(unsafe) let handedOver = work
            pair.loop.performAndWait { pair.begin(handedOver, isAttached: index < setup.pairCount) }
        }
    }

    public func reset() {
        control.stop()
        for pair in pairs { pair.loop.performAndWait { pair.end() } }
        let vhost = state.withLock { state in
            defer { state = State(filter: ReceiveFilter(own: settings.mac)) }
            return state.vhost
        }
        vhost?.stop()
    }

    public func suspend() {
        control.stop()
        for pair in pairs { pair.loop.performAndWait { pair.suspend() } }
        let vhost = state.withLock { state in
            defer { state = State(filter: state.filter, pairCount: state.pairCount, kept: Self.setup(state)) }
            return state.vhost
        }
        vhost?.suspend()
    }

    private static func setup(_ state: borrowing State) -> NetworkSetup {
        NetworkSetup(filter: state.filter, pairCount: state.pairCount)
    }

    /// Nothing where no driver was active.
    public var savedState: [UInt8] { state.withLock { $0.kept?.bytes ?? [] } }

    public func restore(_ saved: [UInt8]) throws(SavedStateError) {
        if saved.isEmpty { return }
        let setup = try NetworkSetup(saved, pairs: 1...pairs.count)
        state.withLock { $0.kept = setup }
    }

    // MARK: The control queue

    private func serveControl(_ context: DeviceContext, _ features: NetworkFeatures) {
        // Behind the last pair that the driver could use: without MQ that is the first one (5.1.2).
        let index = features.contains(.multiQueue) ? 2 * pairs.count : 2
        guard features.contains(.controlQueue), let queue = context.queues[index] else { return }
        let only = DeviceContext(memory: context.memory, features: context.features, queues: [queue],
                                 kicks: [context.kicks[index]], interrupt: context.interrupt)
        control.start(only) { [unowned self] (chain) throws(QueueError) in
            let isDone = try obey(chain, features)
            withUnsafeBytes(of: isDone ? ControlCommand.ok : ControlCommand.error) { _ = chain.write($0, at: 0) }
            return 1
        }
    }

    private func obey(_ chain: DescriptorChain, _ features: NetworkFeatures) throws(QueueError) -> Bool {
        let filter = state.withLock { $0.filter }
        switch try ControlCommand.read(chain, filter, features, pairs: 1...pairs.count) {
        case nil: return false
        case .setFilter(let filter):
            state.withLock { $0.filter = filter }
            // The first pair is served by this very thread, and follows before the driver has its answer.
            pairs[0].setFilter(filter)
            for pair in pairs.dropFirst() { pair.loop.perform { pair.setFilter(filter) } }
            return true
        case .setPairs(let count): return setPairs(count)
        }
    }

    private func setPairs(_ count: Int) -> Bool {
        for (index, pair) in pairs.enumerated() {
            let isWanted = index < count
            // A pair that is to rest does so before its queue of the TAP fails.
            if !isWanted { pair.loop.perform { pair.setAttached(false) } }
            do throws(Errno) {
                try backend.port(index)?.setAttached(isWanted)
            } catch {
                return false
            }
            if isWanted { pair.loop.perform { pair.setAttached(true) } }
        }
        state.withLock { $0.pairCount = count }
        return true
    }

    // MARK: The backend

    /// From any thread.
    private func backendChanged() {
        let left = Countdown(pairs.count)
        for pair in pairs {
            pair.loop.perform { [self] in
                pair.connect()
                guard left.isLast() else { return }
                // The driver hears of it when it is so: no frame passes a link that it knows to be down.
                let (interrupt, vhost) = state.withLock { ($0.interrupt, $0.vhost) }
                vhost?.setLink(up: backend.isUp)
                interrupt?.notifyConfigurationChange()
            }
        }
    }

    /// Tells the last of several threads.
    private final class Countdown: Sendable {
        private let count: Atomic<Int>

        init(_ count: Int) { self.count = Atomic(count) }

        func isLast() -> Bool { count.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
    }

    /// Has the host's kernel serve the queues; false where it is not to, or cannot.
    private func startVhost(_ context: DeviceContext, pairs usable: Int) -> Bool {
        guard let node = settings.vhost else { return false }
        let line = context.interrupt.delegate()
        func queue(_ index: Int) -> VhostFile.Queue? {
            context.queues[index].map { queue in
                let host = queue.hostAddresses
                return VhostFile.Queue(size: queue.size, table: host.table, available: host.available, used: host.used,
                                       base: queue.place.nextAvailable, kick: context.kicks[index].raw, call: line)
            }
        }
        var all: [VhostNet.Pair] = []
        for index in 0..<usable {
            guard let port = backend.port(index), port.form == .tap, let receive = queue(2 * index),
                  let transmit = queue(2 * index + 1) else { continue }
            all.append(VhostNet.Pair(port: port, queues: [context.queues[2 * index], context.queues[2 * index + 1]].compactMap { $0 },
                                     receive: receive, transmit: transmit))
        }
        var regions: [VhostFile.Region] = []
        context.memory.forEachRegion { region, host in
            regions.append(VhostFile.Region(guestAddress: region.start, count: region.count, host: host))
        }
        do throws(Errno) {
            let vhost = try VhostNet(node, features: context.features, memory: regions, pairs: all, isUp: backend.isUp)
            state.withLock { $0.vhost = vhost }
            // Chains may have been made available before the kernel looked.
            for kick in context.kicks { kick.signal() }
            return true
        } catch {
            printErrorLine("svmm: \(backend.name): \(VhostNetNode.path): \(error); svmm serves the queues itself")
            return false
        }
    }
}
