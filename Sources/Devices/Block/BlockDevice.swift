import GuestMemory
import LinuxSystem
import Synchronization
import Virtio

/// Why a placeholder does not take a disk, or a disk does not take another size.
public enum BlockDeviceError: Error, Equatable, CustomStringConvertible {
    case occupied
    case placeholder
    case readOnly
    case blockSize(UInt32)
    case disk(DiskError)

    public var description: String {
        switch self {
        case .occupied: "the device has a disk already"
        case .placeholder: "the device has no disk yet"
        case .readOnly: "the disk is read-only, and the guest was told that it can write"
        case .blockSize(let size): "the disk has blocks of \(size) bytes, and the guest was told 512; use another cache="
        case .disk(let error): "\(error)"
        }
    }
}

/// How a block device serves its disk.
public struct BlockOptions: Sendable {
    /// What GET_ID tells, cut to 20 bytes.
    public var serial: String
    /// 1...`BlockDevice.maximumQueueCount`.
    public var queueCount: Int
    public var engine: DiskEngine
    public var rates: DiskRates
    /// Of the device's threads, which are numbered behind it.
    public var name: String
    /// Whether reads are first tried from the page cache, without the engine.
    public var readsCache: Bool

    public init(serial: String, queueCount: Int = 1, engine: DiskEngine = .automatic, rates: DiskRates = DiskRates(),
                name: String = "disk", readsCache: Bool = true) {
        self.serial = serial
        self.queueCount = queueCount
        self.engine = engine
        self.rates = rates
        self.name = name
        self.readsCache = readsCache
    }
}

/// virtio-blk (virtio 1.2, section 5.2) on a raw disk, or on none yet.
///
/// Each queue has a thread of its own. Call `start` before the driver can: it makes the threads, with the rights of the
/// caller. The last reference to the device ends them; it must not be one of theirs, and the device is reset before.
public final class BlockDevice: VirtioDevice {
    public static let maximumQueueCount = 16

    private let offer: BlockOffer
    private let queues: [BlockQueue]
    private let workers: BlockWorkers
    private let state: Mutex<State>
    private let isStarted = Atomic<Bool>(false)

    private struct State {
        var disk: DiskFile?
        /// The driver's, while there is one.
        var interrupt: DeviceInterrupt?
    }

    /// - Throws: an error of eventfd(2) or timerfd_create(2).
    public convenience init(disk: DiskFile, _ options: BlockOptions) throws(Errno) {
        try self.init(disk, isReadOnly: disk.isReadOnly, cache: disk.cache, options)
    }

    /// A disk of no bytes, which gets its contents later: see `attach`.
    public convenience init(placeholderReadOnly isReadOnly: Bool, _ options: BlockOptions) throws(Errno) {
        try self.init(nil, isReadOnly: isReadOnly, cache: .writeback, options)
    }

    private init(_ disk: DiskFile?, isReadOnly: Bool, cache: DiskCache, _ options: BlockOptions) throws(Errno) {
        let count = min(max(options.queueCount, 1), Self.maximumQueueCount)
        offer = BlockOffer(disk: disk, isReadOnly: isReadOnly, cache: cache, queueCount: count)
        // A ring does nearly everything by itself; where there is none, a few threads keep a few disk requests going.
        workers = BlockWorkers(name: "\(options.name)-work", threadLimit: options.engine == .ioUring ? 1 : 4,
                               capacity: count * Int(BlockOffer.queueSize))
        let limiter = RateLimiter(options.rates)
        let terms = BlockTerms(disk: disk, isReadOnly: isReadOnly, features: offer.features,
                               serial: Array(options.serial.utf8.prefix(BlockRequest.serialLength)))
        var queues: [BlockQueue] = []
        for index in 0..<count {
            let settings = BlockQueue.Settings(name: "\(options.name)-\(index)", engine: options.engine, limiter: limiter,
                                               readsCache: options.readsCache)
            queues.append(try BlockQueue(settings, terms: terms, workers: workers))
        }
        self.queues = queues
        state = Mutex(State(disk: disk, interrupt: nil))
    }

    /// Starts the threads. Once, before the device is used.
    public func start() throws(Errno) {
        isStarted.store(true, ordering: .relaxed)
        for queue in queues { try queue.start() }
    }

    deinit {
        guard isStarted.load(ordering: .relaxed) else { return }
        for queue in queues { queue.end() }
        workers.end()
    }

    // MARK: Device

    public var type: DeviceType { .block }
    public var features: UInt64 { offer.features.rawValue }
    public var queueSizes: [UInt16] { [UInt16](repeating: BlockOffer.queueSize, count: queues.count) }

    public var configuration: [UInt8] {
        offer.configuration(size: state.withLock { $0.disk?.size ?? 0 })
    }

    public func activate(_ context: DeviceContext) {
        state.withLock { $0.interrupt = context.interrupt }
        for (index, queue) in queues.enumerated() {
            guard let virtqueue = context.queues[index] else { continue }
            queue.activate(BlockQueue.Work(
                queue: virtqueue, kick: context.kicks[index], interrupt: context.interrupt,
                features: BlockFeatures(rawValue: context.features), memory: context.memory))
        }
    }

    public func reset() {
        state.withLock { $0.interrupt = nil }
        for queue in queues { queue.stop() }
    }

    /// Requests in flight are finished first, and their driver gets its answers.
    public func suspend() {
        for queue in queues { queue.suspend() }
    }

    // MARK: Changes while the guest runs

    /// Gives a placeholder its disk, and tells the driver. From any thread; the driver sees it at once, or when it starts.
    public func attach(_ disk: DiskFile) throws(BlockDeviceError) {
        let refusal = state.withLock { state -> BlockDeviceError? in
            if state.disk != nil { return .occupied }
            if disk.isReadOnly, !offer.isReadOnly { return .readOnly }
            if disk.traits.logicalBlockSize > offer.traits.logicalBlockSize {
                return .blockSize(disk.traits.logicalBlockSize)
            }
            state.disk = disk
            for queue in queues { queue.attach(disk) }
            state.interrupt?.notifyConfigurationChange()
            return nil
        }
        if let refusal { throw refusal }
    }

    /// Gives the disk another size in bytes, a multiple of 512, and tells the driver; a block device must have it already.
    /// What lies behind a smaller size is lost. From any thread.
    public func resize(to size: UInt64) throws(BlockDeviceError) {
        let refusal = state.withLock { state -> BlockDeviceError? in
            guard let disk = state.disk else { return .placeholder }
            do throws(DiskError) {
                try disk.resize(to: size)
            } catch {
                return .disk(error)
            }
            state.interrupt?.notifyConfigurationChange()
            return nil
        }
        if let refusal { throw refusal }
    }
}
