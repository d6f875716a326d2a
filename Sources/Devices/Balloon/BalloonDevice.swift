import GuestMemory
import LinuxSystem
import Synchronization
import Virtio

/// The traditional memory balloon (virtio 1.2, section 5.5): the guest puts pages into it that the host then has for itself,
/// reports pages that it does not use at the moment, and tells how its memory is doing.
///
/// Pages go back to the host by `GuestMemory.discard`, before the request is answered. Nothing is kept of them: a page that the
/// guest takes out of the balloon, or uses again after reporting it, comes from the host when it is first touched, and so the
/// device need not be told before (VIRTIO_BALLOON_F_MUST_TELL_HOST is not offered).
public final class BalloonDevice: VirtioDevice {
    // 5.5.3
    private static let statisticsFeature: UInt64 = 1 << 1
    private static let deflateOnOutOfMemoryFeature: UInt64 = 1 << 2
    private static let pagePoisonFeature: UInt64 = 1 << 4
    private static let reportingFeature: UInt64 = 1 << 5

    // 5.5.4: struct virtio_balloon_config, fields of 32 bits.
    private static let actualOffset = 4
    private static let poisonOffset = 12
    private static let configurationSize = 16

    /// Bytes of a page in the balloon.
    public static let pageSize: UInt64 = 4096
    /// Pages of one request that are given back. Drivers list a page's worth of numbers at the most; whoever lists more keeps
    /// the rest, and cannot keep the loop for long.
    public static let requestLimit = 16384

    private struct State {
        var configuration = [UInt8](repeating: 0, count: configurationSize)
        /// While the driver is active.
        var interrupt: DeviceInterrupt?

        func field(_ offset: Int) -> UInt32 {
            configuration[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }

        mutating func set(_ offset: Int, _ value: UInt32) {
            for index in 0..<4 { configuration[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index))) }
        }
    }

    private let workers: [QueueWorker]
    private let statisticsQueue: StatisticsQueue
    private let state = Mutex(State())

    public let type = DeviceType.balloon
    public let features = statisticsFeature | deflateOnOutOfMemoryFeature | pagePoisonFeature | reportingFeature
    /// inflate, deflate, statistics, reporting. Linux reports up to 32 ranges at once.
    public let queueSizes: [UInt16] = [128, 128, 128, 128]

    /// - Parameter loop: where the queues are served.
    public init(loop: EventLoop) {
        workers = (0..<3).map { _ in QueueWorker(loop: loop, turn: 1) }
        statisticsQueue = StatisticsQueue(loop: loop)
    }

    public var configuration: [UInt8] { state.withLock { $0.configuration } }

    /// `actual` and `poison_val` are the driver's, the rest is the device's.
    public func writeConfiguration(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        state.withLock { state in
            for (index, byte) in bytes.enumerated() {
                let place = offset + index
                let isDriver = (Self.actualOffset..<Self.actualOffset + 4).contains(place)
                    || (Self.poisonOffset..<Self.poisonOffset + 4).contains(place)
                if isDriver { state.configuration[place] = byte }
            }
        }
    }

    // MARK: The host's side, from any thread

    /// How much the balloon should hold, in bytes: whole pages. The driver works towards it.
    public var target: UInt64 {
        get { UInt64(state.withLock { $0.field(0) }) * Self.pageSize }
        set {
            let pages = UInt32(clamping: newValue / Self.pageSize)
            let interrupt = state.withLock { state -> DeviceInterrupt? in
                guard state.field(0) != pages else { return nil }
                state.set(0, pages)
                return state.interrupt
            }
            interrupt?.notifyConfigurationChange()
        }
    }

    /// How much it holds in bytes, as the driver says.
    public var actual: UInt64 { UInt64(state.withLock { $0.field(Self.actualOffset) }) * Self.pageSize }

    /// What the guest says of its memory now, or has said last if it does not answer in time, and how long ago that was; nil
    /// when it has never said anything. Times are in nanoseconds. For the control thread.
    public func statistics(waitingFor time: UInt64) -> (values: GuestStatistics, age: UInt64)? {
        guard let report = statisticsQueue.ask(waitingFor: time) else { return nil }
        let now = Clock.monotonicNanoseconds()
        return (report.statistics, now > report.time ? now - report.time : 0)
    }

    // MARK: The driver's side

    public func activate(_ context: DeviceContext) {
        let poison = state.withLock { state in
            state.interrupt = context.interrupt
            return state.field(Self.poisonOffset)
        }
        let memory = context.memory
        let givesBackReports = Self.givesBackReports(context, poison: poison)
        serve(context, 0, by: workers[0]) { chain in
            PageRun.forEach(in: chain, limit: Self.requestLimit) { run in
                memory.discard(at: run.first * Self.pageSize, count: run.count * Self.pageSize)
            }
        }
        // Deflated pages come back when they are touched.
        serve(context, 1, by: workers[1]) { _ in }
        // Linux numbers queues without those of features that it has not taken, and so do the devices it was made with.
        var next = 2
        if context.features & Self.statisticsFeature != 0 {
            statisticsQueue.start(context.part(next))
            next += 1
        }
        guard context.features & Self.reportingFeature != 0 else { return }
        serve(context, next, by: workers[2]) { chain in
            guard givesBackReports else { return }
            chain.forEachSlice(writable: true, from: 0, count: chain.writableCount) { slice in
                memory.discard(slice)
                return true
            }
        }
    }

    public func reset() {
        for worker in workers { worker.stop() }
        statisticsQueue.stop()
        state.withLock { state in
            state.interrupt = nil
            state.set(Self.actualOffset, 0)
            state.set(Self.poisonOffset, 0)
        }
    }

    /// The guest keeps its pages in the balloon, and what it has said of itself.
    public func suspend() {
        for worker in workers { worker.stop() }
        statisticsQueue.suspend()
        state.withLock { $0.interrupt = nil }
    }

    public var savedState: [UInt8] { configuration }

    public func restore(_ saved: [UInt8]) throws(SavedStateError) {
        guard saved.count == Self.configurationSize else {
            throw SavedStateError("\(saved.count) bytes of the balloon's state, expected \(Self.configurationSize)")
        }
        state.withLock { $0.configuration = saved }
    }

    /// A driver with VIRTIO_BALLOON_F_PAGE_POISON counts on reported pages to keep what it filled them with (5.5.6.7.2): they
    /// can be given back if that is what they will read as. Without it they may hold anything afterwards.
    private static func givesBackReports(_ context: DeviceContext, poison: UInt32) -> Bool {
        context.features & pagePoisonFeature == 0 || (poison == 0 && context.memory.discardedPagesAreZero)
    }

    private func serve(
        _ context: DeviceContext, _ index: Int, by worker: QueueWorker, _ body: @escaping @Sendable (DescriptorChain) -> Void
    ) {
        worker.start(context.part(index)) { (chain) throws(QueueError) in
            body(chain)
            return 0
        }
    }
}
