import GuestMemory
import LinuxSystem
import Synchronization
import Virtio

/// How requests get to the kernel.
public enum DiskEngine: UInt8, Sendable, CaseIterable {
    /// io_uring where the kernel lets us, else threads.
    case automatic
    case ioUring
    /// preadv and pwritev in a few threads.
    case threads
}

/// One queue of a block device and the thread that serves it, for as long as the device lives.
///
/// The thread sleeps in one system call for everything: kicks, completions, the rate limit's timer and orders from other
/// threads. `start`, `activate`, `stop`, `attach` and `end` are for other threads; they serve one at a time.
final class BlockQueue: @unchecked Sendable {
    // Sound: what is not a constant is touched by the queue's own thread only, but for `mail`, which is behind its mutex.

    /// What the queue works on between a driver's start and the next reset.
    struct Work {
        let queue: Virtqueue
        let kick: EventNotifier
        let interrupt: DeviceInterrupt
        let features: BlockFeatures
        /// Keeps mapped what the queue and requests in flight point to.
        let memory: GuestMemory
    }

    private enum Order: @unchecked Sendable {
        // Sound: the virtqueue is handed over to the queue's thread with it.
        case serve(Work)
        case stop(Gate, drains: Bool)
        case attach(DiskFile)
        case end(Gate)
    }

    let settings: Settings
    let workers: BlockWorkers
    let box: CompletionBox
    let timer: OneShotTimer
    private let wakeUp: EventNotifier
    private let mail = Mutex<[Order]>([])
    /// Looked at in every round, and while polling.
    let hasMail = Atomic<Bool>(false)

    var waiter: BlockWaiter
    var terms: BlockTerms
    var work: Work?
    var slots: [RequestSlot] = []
    var freeSlots = SlotStack(capacity: Int(BlockOffer.queueSize))
    let chain = DescriptorChain(capacity: Int(BlockOffer.queueSize))
    /// Requests that a ring or a worker has.
    var inFlight = 0
    /// A request that waits for the rate limit, and until when (`Clock.monotonicNanoseconds`). No other is taken meanwhile.
    var parked: (slot: RequestSlot, until: UInt64)?
    /// Chains pushed since the driver was last considered for an interrupt.
    var unannounced = 0
    /// The driver has made a mistake; nothing is taken until it resets the device.
    var hasFailed = false
    var readsCache: Bool
    private var stopping: Gate?
    /// Whether what is in flight is given back to the driver before the stop.
    private var drains = false
    private var ending: Gate?
    private var polling: PollWindow

    /// What does not change while the queue lives.
    struct Settings {
        let name: String
        let engine: DiskEngine
        let limiter: RateLimiter?
        /// Whether reads may be tried from the page cache in the queue's own thread.
        let readsCache: Bool
    }

    init(_ settings: Settings, terms: BlockTerms, workers: BlockWorkers) throws(Errno) {
        self.settings = settings
        self.terms = terms
        self.workers = workers
        wakeUp = try EventNotifier()
        timer = try OneShotTimer()
        box = CompletionBox(wakeUp: wakeUp)
        waiter = BlockWaiter(wakeUp: wakeUp, timer: timer)
        readsCache = settings.readsCache
        polling = PollWindow(isWorthwhile: onlineProcessorCount() > 1)
    }

    // MARK: Orders

    /// Starts the thread.
    func start() throws(Errno) {
        _ = try Thread(name: settings.name) { [self] in run() }
    }

    func activate(_ work: Work) { send(.serve(work)) }

    /// Takes no further requests and waits for those in flight. Then neither queue nor guest memory is touched any more.
    func stop() {
        let gate = Gate()
        send(.stop(gate, drains: false))
        gate.wait()
    }

    /// As `stop`, with those in flight finished and given back to the driver: the queue can go on later as if nothing had been.
    func suspend() {
        let gate = Gate()
        send(.stop(gate, drains: true))
        gate.wait()
    }

    /// Gives a placeholder its disk.
    func attach(_ disk: DiskFile) { send(.attach(disk)) }

    /// Ends the thread, as after `stop`, and waits for that.
    func end() {
        let gate = Gate()
        send(.end(gate))
        gate.wait()
    }

    private func send(_ order: Order) {
        mail.withLock { $0.append(order) }
        hasMail.store(true, ordering: .sequentiallyConsistent)
        wakeUp.signal()
    }

    private func takeMail() {
        hasMail.store(false, ordering: .sequentiallyConsistent)
        let orders = mail.withLock { orders in
            defer { orders = [] }
            return orders
        }
        for order in orders {
            switch order {
            case .serve(let work): begin(work)
            case .stop(let gate, let drains):
                stopping = gate
                self.drains = drains
                dropParked()
            case .end(let gate):
                (stopping, ending) = (gate, gate)
                drains = false
                dropParked()
            case .attach(let disk):
                terms.disk = disk
                waiter.register(disk)
            }
        }
    }

    private func begin(_ work: Work) {
        self.work = work
        terms = BlockTerms(disk: terms.disk, isReadOnly: terms.isReadOnly, features: work.features, serial: terms.serial)
        hasFailed = false
        unannounced = 0
        // None is in use, but one may have been in hand when the last driver made its mistake.
        freeSlots.removeAll()
        for slot in slots { freeSlots.push(slot.index) }
        waiter.watch(work.kick)
    }

    private func dropParked() {
        guard let (slot, _) = parked else { return }
        // Nothing has been taken after it.
        if drains { work?.queue.putBack(1) }
        timer.disarm()
        parked = nil
        freeSlots.push(slot.index)
    }

    // MARK: The thread

    private func run() {
        if settings.engine != .threads { waiter.makeRing() }
        if let disk = terms.disk { waiter.register(disk) }
        while ending == nil || stopping != nil { round() }
        waiter.close()
        ending?.open()
    }

    private func round() {
        if hasMail.load(ordering: .acquiring) { takeMail() }
        takeCompletions()
        if let stopping {
            if inFlight > 0 { return waiter.wait() }
            if drains, let work { announce(work) }
            drains = false
            work = nil
            self.stopping = nil
            if ending == nil { stopping.open() }
            return
        }
        guard let work else { return waiter.wait() }
        let isBusy = serve(work)
        announce(work)
        if waiter.mustSubmit(isBusy && inFlight > 0) { return waiter.submit() }
        if isBusy { return }
        // With nothing to take for a reason of our own, the driver's kicks are of no use.
        let canTake = parked == nil && !hasFailed && inFlight < Int(work.queue.size)
        if canTake {
            if inFlight == 0, polling.poll({ work.queue.hasAvailable || hasMail.load(ordering: .relaxed) }) { return }
            if work.queue.enableKicks() { return work.queue.disableKicks() }
        }
        let start = polling.isWorthwhile ? Clock.monotonicNanoseconds() : 0
        waiter.wait()
        if polling.isWorthwhile { polling.noteSleep(Clock.monotonicNanoseconds() &- start) }
        work.queue.disableKicks()
    }

    /// Interrupts the driver for what was pushed, if it asked for that.
    func announce(_ work: Work) {
        guard unannounced > 0 else { return }
        unannounced = 0
        if work.queue.shouldNotifyDriver() { work.interrupt.notifyUsedBuffers() }
    }

    /// A driver that cannot be understood.
    func fail(_ work: Work) {
        hasFailed = true
        work.interrupt.fail()
    }

    /// Whether an order to stop waits for requests in flight: their results are of no use to anybody.
    var isStopping: Bool { stopping != nil && !drains }
}

/// How long the queue's thread looks for the driver's next request before it sleeps: a sleep and a kick cost more than a
/// short wait, and nothing else than one of these is saved by a long one.
struct PollWindow {
    let isWorthwhile: Bool
    private var window: UInt64 = 0

    /// Nanoseconds. As long as a kick, a wake-up and what a driver does between two requests take together.
    private static let limit: UInt64 = 50_000

    init(isWorthwhile: Bool) {
        self.isWorthwhile = isWorthwhile
    }

    /// Looks for news for a while; whether there were some.
    func poll(_ hasNews: () -> Bool) -> Bool {
        guard window > 0 else { return hasNews() }
        let end = Clock.monotonicNanoseconds() &+ window
        repeat {
            for _ in 0..<32 {
                if hasNews() { return true }
                spinPause()
            }
        } while Clock.monotonicNanoseconds() < end
        return false
    }

    /// Sleeps shorter than the window would have been found by polling; after a longer one there is no hurry.
    mutating func noteSleep(_ nanoseconds: UInt64) {
        window = nanoseconds < Self.limit ? Self.limit : 0
    }
}

/// Numbers of slots. It allocates nothing once it is made, also where the compiler does not optimize.
struct SlotStack {
    private var storage: [Int]
    private var count = 0

    init(capacity: Int) {
        storage = Array(repeating: 0, count: capacity)
    }

    /// Not more than the capacity.
    mutating func push(_ index: Int) {
        storage[count] = index
        count += 1
    }

    /// The number pushed last; nil when there is none.
    var top: Int? { count > 0 ? storage[count - 1] : nil }

    /// Takes the top off, which is there.
    mutating func pop() { count -= 1 }

    mutating func removeAll() { count = 0 }
}
