import LinuxSystem

/// What a queue's thread sleeps on, and, where there is an io_uring, gives its requests to. For that thread.
struct BlockWaiter: ~Copyable {
    private var ring: IORing?
    private var polls = PollList(capacity: 3)
    private let wakeUp: EventNotifier
    private let timer: OneShotTimer
    private var kick: EventNotifier?
    private var hasRegisteredFiles = false
    /// Told apart from those of a kick that was watched before.
    private var kickTag = Self.firstKickTag

    // Completions of requests carry their slot's index; these do not look like one.
    private static let wakeUpTag: UInt64 = 1 << 32
    private static let timerTag: UInt64 = 1 << 32 + 1
    private static let firstKickTag: UInt64 = 1 << 33

    init(wakeUp: EventNotifier, timer: OneShotTimer) {
        self.wakeUp = wakeUp
        self.timer = timer
        polls.set(0, wakeUp.raw)
        polls.set(1, timer.raw)
    }

    private(set) var hasRing = false

    /// Tries to get an io_uring, on the thread that will use it.
    mutating func makeRing() {
        ring = try? IORing(entries: UInt32(BlockOffer.queueSize))
        hasRing = ring != nil
        watchByRing(wakeUp.raw, Self.wakeUpTag)
        watchByRing(timer.raw, Self.timerTag)
    }

    /// Lets the kernel know the disk's files. No request is in flight.
    mutating func register(_ disk: DiskFile) {
        guard hasRing else { return }
        let files = [disk.file.raw] + (disk.direct.map { [$0.file.raw] } ?? [])
        // Without it their numbers do as well.
        hasRegisteredFiles = (try? ring?.register(files: files)) != nil
    }

    /// Wakes up for the queue's kicks from now on.
    mutating func watch(_ kick: EventNotifier) {
        guard self.kick !== kick else { return }
        self.kick = kick
        polls.set(2, kick.raw)
        kickTag += 1
        watchByRing(kick.raw, kickTag)
    }

    private mutating func watchByRing(_ raw: Int32, _ tag: UInt64) {
        guard hasRing else { return }
        if ring?.prepareMultishotPoll(raw, tag: tag) == true { return }
        submit()
        _ = ring?.prepareMultishotPoll(raw, tag: tag)
    }

    /// Lets go of the ring and of the files it knows.
    mutating func close() {
        ring = nil
        hasRing = false
    }

    // MARK: Requests

    /// Prepares a request for the ring; false where there is none, or it cannot do this.
    mutating func prepare(_ slot: RequestSlot, _ disk: DiskFile) -> Bool {
        guard hasRing else { return false }
        if tryToPrepare(slot, disk) { return true }
        // The ring may be full.
        guard ring?.hasUnsubmitted == true else { return false }
        submit()
        return tryToPrepare(slot, disk)
    }

    private mutating func tryToPrepare(_ slot: RequestSlot, _ disk: DiskFile) -> Bool {
        let tag = UInt64(slot.index)
        switch slot.operation {
        case .read, .write:
            let route = disk.route(slot.offset, slot.vectors)
            guard route != .bounced, let file = file(disk, isDirect: route == .direct) else { return false }
            return ring?.prepareTransfer(
                file, slot.vectors, isRead: slot.operation == .read, offset: slot.offset,
                durable: slot.operation == .write && slot.isDurable, isAsynchronous: slot.isAsynchronous, tag: tag) ?? false
        case .flush:
            guard let file = file(disk, isDirect: false) else { return false }
            return ring?.prepareSynchronization(file, tag: tag) ?? false
        case .discard, .writeZeroes:
            return false
        }
    }

    private func file(_ disk: DiskFile, isDirect: Bool) -> IORing.File? {
        if hasRegisteredFiles { return .registered(isDirect ? 1 : 0) }
        return isDirect ? disk.direct.map { .number($0.file.raw) } : .number(disk.file.raw)
    }

    /// Whether the kernel is to be called before anything else is done.
    ///
    /// - Parameter isBusy: the thread does not sleep, and has requests in flight whose completions only a call brings.
    mutating func mustSubmit(_ isBusy: Bool) -> Bool {
        guard hasRing else { return false }
        return isBusy || ring?.hasUnsubmitted == true
    }

    mutating func submit() {
        // What the kernel cannot take now it gets in the next round, after completions were taken.
        try? ring?.submit(waiting: false)
    }

    mutating func nextCompletion() -> IORing.Completion? {
        ring?.nextCompletion()
    }

    /// The slot of a completed request; nil for what only woke the thread up, and stays watched.
    mutating func slotIndex(of completion: IORing.Completion) -> Int? {
        if completion.tag < Self.wakeUpTag { return Int(completion.tag) }
        if !completion.hasMore {
            switch completion.tag {
            case Self.wakeUpTag: watchByRing(wakeUp.raw, Self.wakeUpTag)
            case Self.timerTag: watchByRing(timer.raw, Self.timerTag)
            case kickTag: if let kick { watchByRing(kick.raw, kickTag) }
            default: break
            }
        }
        return nil
    }

    // MARK: Sleep

    /// Sleeps until there is a kick, a completion, an order or the timer's end.
    mutating func wait() {
        if hasRing {
            // Nothing is read from the descriptors: each signal is a completion of its own.
            try? ring?.submit(waiting: true)
            return
        }
        polls.wait()
        if polls.isReady(0) { wakeUp.take() }
        if polls.isReady(1) { timer.take() }
        if polls.isReady(2) { kick?.take() }
    }
}
