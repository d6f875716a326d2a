import LinuxSystem

/// A few threads that do what would hold up a queue: everything where there is no io_uring, else what that cannot do.
///
/// Jobs wait in the order in which they came; there are never more than the queues have room for, so that nothing is
/// allocated when one is handed over.
final class BlockWorkers: @unchecked Sendable {
    // Sound: everything that changes is behind the condition's mutex.
    private let condition = Condition()
    private var jobs: JobRing
    private var threadCount = 0
    private var isEnding = false
    private let name: String
    private let threadLimit: Int
    private var idle = 0
    private var running = 0

    struct Job {
        let slot: RequestSlot
        let disk: DiskFile
        let origin: CompletionBox
    }

    /// - Parameters:
    ///   - name: of the threads, at most 15 bytes.
    ///   - capacity: jobs that can wait.
    init(name: String, threadLimit: Int, capacity: Int) {
        self.name = name
        self.threadLimit = threadLimit
        jobs = JobRing(capacity: capacity)
    }

    /// Hands a job over, or, where no thread can be had, does it at once.
    func submit(_ slot: RequestSlot, _ disk: DiskFile, for origin: CompletionBox) {
        let isTaken = condition.withLock {
            if idle <= jobs.count, threadCount < threadLimit { startThread() }
            guard threadCount > 0 else { return false }
            guard jobs.append(Job(slot: slot, disk: disk, origin: origin)) else { return false }
            condition.signal()
            return true
        }
        if isTaken { return }
        slot.perform(on: disk)
        origin.add(slot)
    }

    private func startThread() {
        guard (try? Thread(name: name, { [self] in work() })) != nil else { return }
        threadCount += 1
        running += 1
    }

    private func work() {
        while let job = next() {
            job.slot.perform(on: job.disk)
            job.origin.add(job.slot)
        }
        condition.withLock {
            running -= 1
            condition.broadcast()
        }
    }

    private func next() -> Job? {
        condition.withLock {
            idle += 1
            defer { idle -= 1 }
            while true {
                if let job = jobs.removeFirst() { return job }
                if isEnding { return nil }
                condition.wait()
            }
        }
    }

    /// Ends the threads and waits for them. No job is waiting any more.
    func end() {
        condition.withLock {
            isEnding = true
            condition.broadcast()
            while running > 0 { condition.wait() }
        }
    }
}

/// Jobs, first in, first out, of a fixed capacity.
private struct JobRing {
    private var storage: [BlockWorkers.Job?]
    private var first = 0
    private(set) var count = 0

    init(capacity: Int) {
        storage = Array(repeating: nil, count: capacity)
    }

    mutating func append(_ job: BlockWorkers.Job) -> Bool {
        guard count < storage.count else { return false }
        storage[(first + count) % storage.count] = job
        count += 1
        return true
    }

    mutating func removeFirst() -> BlockWorkers.Job? {
        guard count > 0 else { return nil }
        let job = storage[first]
        storage[first] = nil
        first = (first + 1) % storage.count
        count -= 1
        return job
    }
}

/// Where workers leave what they have done, for one queue's thread.
final class CompletionBox: @unchecked Sendable {
    // Sound: the list is behind the condition's mutex.
    private let condition = Condition()
    /// Linked by the slots themselves, so that nothing is allocated.
    private var first: RequestSlot?
    private let wakeUp: EventNotifier

    init(wakeUp: EventNotifier) {
        self.wakeUp = wakeUp
    }

    func add(_ slot: RequestSlot) {
        let wasEmpty = condition.withLock {
            let wasEmpty = first == nil
            slot.next = first
            first = slot
            return wasEmpty
        }
        if wasEmpty { wakeUp.signal() }
    }

    /// One of those that are done, and takes it; nil when there is none.
    func take() -> RequestSlot? {
        condition.withLock {
            guard let slot = first else { return nil }
            first = slot.next
            slot.next = nil
            return slot
        }
    }
}
