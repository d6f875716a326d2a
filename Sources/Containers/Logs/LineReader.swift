import LinuxSystem
import Synchronization

/// Reads lines of a `LineFile`, and waits for more. One task reads; any may cancel.
final class LineReader: Sendable {
    private let directory: String
    private let state: Mutex<LineFile>
    /// nil: nobody waits.
    private let changes: FileChanges?
    private let cancelled: EventNotifier
    /// Readable when no more lines come: the container's end.
    private let end: MonitorConnection?
    private let hasEnded = Atomic<Bool>(false)
    /// Of `Clock.monotonicNanoseconds`.
    private let deadline: UInt64?

    /// - Parameters:
    ///   - last: how many lines to begin with; nil: all.
    ///   - follows: whether to wait for more.
    ///   - end: a connection that is answered or ends when no more come.
    init(
        directory: String, name: String, last: Int?, follows: Bool, end: MonitorConnection? = nil, deadline: UInt64? = nil
    ) throws(ContainerError) {
        self.directory = directory
        self.end = end
        self.deadline = deadline
        do throws(Errno) {
            cancelled = try EventNotifier()
            if follows {
                let changes = try FileChanges()
                try changes.watch(directory)
                self.changes = changes
            } else {
                changes = nil
            }
        } catch {
            throw .file(directory, error)
        }
        // After the watch: nothing that comes between the two is missed.
        state = Mutex(try LineFile(directory: directory, name: name, last: last))
    }

    /// The next lines; nil at the end. Waits.
    func next() throws(ContainerError) -> [ArraySlice<UInt8>]? {
        while true {
            let isLast = changes == nil || hasEnded.load(ordering: .acquiring)
            let lines = try state.withLock { file throws(ContainerError) in try file.next() }
            if !lines.isEmpty { return lines }
            if isLast { return nil }
            wait()
        }
    }

    /// What the next lines say and is wanted, for a task, whose cancellation ends the wait; nil at the end.
    func nextBatch<Element: Sendable>(
        _ element: @escaping @Sendable (ArraySlice<UInt8>) -> Element?
    ) async throws(ContainerError) -> [Element]? {
        let result: Result<[Element]?, ContainerError> = await withTaskCancellationHandler {
            do throws(ContainerError) {
                return .success(try await BlockingWork.run { [self] () throws(ContainerError) in
                    try next().map { $0.compactMap(element) }
                })
            } catch {
                return .failure(error)
            }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }

    func cancel() {
        hasEnded.store(true, ordering: .releasing)
        cancelled.signal()
    }

    private func wait() {
        var poll = PollSet(capacity: 3)
        poll.set(0, changes?.raw, input: true)
        poll.set(1, cancelled.raw, input: true)
        poll.set(2, end?.raw, input: true)
        var time: Int32 = -1
        if let deadline {
            let now = Clock.monotonicNanoseconds()
            time = now >= deadline ? 0 : Int32(clamping: (deadline - now) / 1_000_000 + 1)
        }
        poll.wait(milliseconds: time)
        changes?.take()
        let isOver = deadline.map { Clock.monotonicNanoseconds() >= $0 } ?? false
        // Once more, for what was written before the end.
        if poll.isReady(1) || poll.isReady(2) || isOver { hasEnded.store(true, ordering: .releasing) }
    }
}
