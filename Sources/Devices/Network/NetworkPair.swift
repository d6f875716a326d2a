import GuestMemory
import LinuxSystem
import Virtio

/// One pair of queues and the loop that serves it, for as long as the device lives.
///
/// Ready or not is remembered rather than asked for: the network and the kicks are watched edge-triggered, so that neither a full
/// ring nor a full network makes the loop turn idly, and each end of a pause looks at both sides again.
final class NetworkPair: @unchecked Sendable {
    // Sound: what is not a constant is touched by the loop's own thread only.

    /// What the pair works on between a driver's start and the next reset.
    struct Work {
        let receive: (queue: Virtqueue, kick: EventNotifier)
        let transmit: (queue: Virtqueue, kick: EventNotifier)
        let interrupt: DeviceInterrupt
        let features: NetworkFeatures
        let frameLimit: Int
        let filter: ReceiveFilter
        /// Keeps mapped what the queues point to.
        let memory: GuestMemory
    }

    let loop: EventLoop
    private let index: Int
    private let settings: NetworkSettings
    private let backend: NetworkBackend
    private let timers: (receive: OneShotTimer, transmit: OneShotTimer)?
    private let failed: @Sendable () -> Void

    private var work: Work?
    private var receive: ReceiveQueue?
    private var transmit: TransmitQueue?
    private var stream = FrameStream()
    private var watches: [EventLoop.Token] = []
    private var port: NetworkPort?
    private var portWatch: EventLoop.Token?
    private var isUp = false
    /// Whether the driver has asked for this pair. A queue of a TAP that is not attached has nothing to give.
    private var isAttached = false
    private var isReadable = false
    private var isWritable = false
    private var isReceiveLimited = false
    private var isTransmitLimited = false
    /// Whether a frame waits for buffers of the driver.
    private var isStarved = false

    /// - Parameter failed: called when the driver has made a mistake; the pair has stopped.
    init(
        _ index: Int, _ settings: NetworkSettings, _ backend: NetworkBackend, loop: EventLoop,
        failed: @escaping @Sendable () -> Void
    ) throws(Errno) {
        self.index = index
        self.settings = settings
        self.backend = backend
        self.loop = loop
        self.failed = failed
        timers = settings.receiveLimiter == nil && settings.transmitLimiter == nil ? nil
            : (try OneShotTimer(), try OneShotTimer())
    }

    // MARK: On the loop's thread

    func begin(_ work: Work, isAttached: Bool) {
        self.work = work
        self.isAttached = isAttached
        receive = ReceiveQueue(work.receive.queue, work.interrupt, features: work.features, frameLimit: work.frameLimit,
                               filter: work.filter, limiter: settings.receiveLimiter, capture: settings.capture)
        transmit = TransmitQueue(work.transmit.queue, work.interrupt, limiter: settings.transmitLimiter,
                                 capture: settings.capture)
        (isReceiveLimited, isTransmitLimited, isStarved) = (false, false, false)
        watches.append(loop.poll(Poller(
            hasWork: { [unowned self] in hasWork }, serve: { [unowned self] in run() },
            prepareToSleep: { [unowned self] in enableKicks() }, wake: { [unowned self] in disableKicks() })))
        watch(work.receive.kick.raw, edgeTriggered: true) { $0.runReceive() }
        watch(work.transmit.kick.raw, edgeTriggered: true) { $0.runTransmit() }
        if let timers {
            watch(timers.receive.raw) { pair in
                timers.receive.take()
                pair.isReceiveLimited = false
                pair.runReceive()
            }
            watch(timers.transmit.raw) { pair in
                timers.transmit.take()
                pair.isTransmitLimited = false
                pair.runTransmit()
            }
        }
        connect()
    }

    func end() {
        setPort(nil)
        letGo()
    }

    /// As `end`, to go on by `begin`: what was taken stays in the rings, and what has come of a stream's frames is kept.
    func suspend() {
        transmit?.putBack()
        receive?.putBack()
        if let portWatch { loop.forget(portWatch) }
        portWatch = nil
        letGo()
    }

    private func letGo() {
        for watch in watches { loop.forget(watch) }
        watches = []
        work = nil
        receive = nil
        transmit = nil
    }

    /// Looks which port there is and whether the link is up.
    func connect() {
        guard work != nil else { return }
        isUp = backend.isUp
        let current = backend.port(index)
        if current !== port { setPort(current) } else if let current, portWatch == nil { watch(current) }
        run()
    }

    func setAttached(_ isAttached: Bool) {
        guard work != nil else { return }
        self.isAttached = isAttached
        (isReadable, isWritable) = (true, true)
        run()
    }

    func setFilter(_ filter: ReceiveFilter) { receive?.filter = filter }

    private func watch(_ raw: Int32, edgeTriggered: Bool = false, _ body: @escaping (NetworkPair) -> Void) {
        let readiness: Readiness = edgeTriggered ? [.readable, .edgeTriggered] : .readable
        guard let token = try? loop.watch(raw, for: readiness, { [unowned self] _ in body(self) }) else { return fail() }
        watches.append(token)
    }

    private func setPort(_ new: NetworkPort?) {
        if let portWatch { loop.forget(portWatch) }
        portWatch = nil
        port = new
        stream.reset()
        receive?.reset()
        (isReadable, isWritable) = (false, false)
        if let new { watch(new) }
    }

    private func watch(_ port: NetworkPort) {
        (isReadable, isWritable) = (true, true)
        portWatch = try? loop.watch(port.raw, for: [.readable, .writable, .edgeTriggered]) { [unowned self] readiness in
            let isGone = readiness.contains(.hangUp) || readiness.contains(.error)
            if isGone || readiness.contains(.readable) { isReadable = true }
            if isGone || readiness.contains(.writable) { isWritable = true }
            run()
        }
        if portWatch == nil { fail() }
    }

    private func run() {
        runTransmit()
        runReceive()
    }

    // MARK: Kicks
    // The driver is asked for none but while the loop sleeps, and then only for what the pair could serve.

    private var canTransmit: Bool { !isTransmitLimited && (port == nil || !isUp || isWritable) }
    private var canReceive: Bool { port != nil && isAttached && isReadable && !isReceiveLimited }

    private var hasWork: Bool {
        guard let work else { return false }
        return canTransmit && work.transmit.queue.hasAvailable || isStarved && canReceive && work.receive.queue.hasAvailable
    }

    /// True when there are chains already.
    private func enableKicks() -> Bool {
        guard let work else { return false }
        let hasFrames = canTransmit && work.transmit.queue.enableKicks()
        let hasBuffers = isStarved && canReceive && work.receive.queue.enableKicks()
        return hasFrames || hasBuffers
    }

    private func disableKicks() {
        guard let work else { return }
        work.transmit.queue.disableKicks()
        work.receive.queue.disableKicks()
    }

    private func runReceive() {
        guard let work, let port, canReceive else { return }
        isStarved = false
        do throws(QueueError) {
            switch try receive!.run(from: port.way, &stream, isUp: isUp) {
            case .drained: isReadable = false
            case .starved: isStarved = true
            case .busy: work.receive.kick.signal()
            case .limited(let time):
                isReceiveLimited = true
                timers?.receive.arm(nanoseconds: time)
            case .lost(let reason): lose(port, reason)
            }
        } catch {
            fail()
        }
    }

    private func runTransmit() {
        guard let work, !isTransmitLimited else { return }
        if let port, isWritable, port.form == .stream {
            guard let isFlushed = try? stream.flush(to: port.raw) else { return lose(port, "\(Errno.connectionReset)") }
            if !isFlushed { isWritable = false }
        }
        guard canTransmit else { return }
        do throws(QueueError) {
            switch try transmit!.run(to: isUp ? port?.way : nil, &stream) {
            case .drained: break
            case .blocked: isWritable = false
            case .busy: work.transmit.kick.signal()
            case .limited(let time):
                isTransmitLimited = true
                timers?.transmit.arm(nanoseconds: time)
            case .lost(let reason): if let port { lose(port, reason) }
            }
        } catch {
            fail()
        }
    }

    private func lose(_ port: NetworkPort, _ reason: String) {
        (isReadable, isWritable) = (false, false)
        // The driver may have asked for fewer pairs meanwhile.
        guard isAttached else { return }
        backend.lose(port, because: reason)
    }

    private func fail() {
        guard let interrupt = work?.interrupt else { return }
        end()
        interrupt.fail()
        failed()
    }
}
