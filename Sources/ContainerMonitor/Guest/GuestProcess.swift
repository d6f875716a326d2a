import AgentProtocol

/// Which of a process's outputs something was written to.
enum OutputKind {
    /// With a terminal, all of it.
    case output
    case errors
}

/// Somebody who takes what a process writes.
protocol OutputSink: AnyObject {
    func take(_ bytes: UnsafeRawBufferPointer, _ kind: OutputKind)
    /// While one of a process's sinks is, the process has to wait.
    var isFull: Bool { get }
}

/// How a process has ended.
struct ProcessEnd: Equatable {
    /// 0...255, or 128 and the number of the signal.
    var status: UInt8
    var wasOutOfMemory = false
}

/// A process in the guest and its streams.
final class GuestProcess {
    /// 0 is the main one.
    let number: UInt32
    let hasTerminal: Bool
    /// Carries the input as well; nil: neither is wanted.
    let output: GuestStream?
    let errors: GuestStream?
    private(set) var sinks: [any OutputSink] = []
    /// The agent has said so; output may still be on its way.
    private(set) var end: ProcessEnd?
    /// It has ended, and all that it wrote has been taken. Once.
    var isDone: () -> Void = {}
    /// The agent has said that it runs.
    private(set) var hasStarted = false
    private var wasDone = false
    /// Bytes of its output so far.
    private(set) var takenCount: UInt64 = 0

    init(number: UInt32, hasTerminal: Bool, output: GuestStream?, errors: GuestStream?) {
        self.number = number
        self.hasTerminal = hasTerminal
        self.output = output
        self.errors = errors
        for (stream, kind) in [(output, OutputKind.output), (errors, .errors)] {
            stream?.take = { [unowned self] bytes in
                takenCount &+= UInt64(bytes.count)
                for sink in sinks { sink.take(bytes, kind) }
                updatePauses()
            }
            stream?.ended = { [unowned self] in checkWhetherDone() }
        }
    }

    /// The agent has said that it runs: from now on its output is taken.
    func start() {
        hasStarted = true
        updatePauses()
    }

    func add(_ sink: any OutputSink) {
        sinks.append(sink)
        updatePauses()
    }

    func remove(_ sink: any OutputSink) {
        sinks.removeAll { $0 === sink }
        updatePauses()
    }

    /// A sink has room again, or none any more.
    func updatePauses() {
        let isPaused = !hasStarted || sinks.contains { $0.isFull }
        output?.isPaused = isPaused
        errors?.isPaused = isPaused
    }

    func hasEnded(_ end: ProcessEnd) {
        self.end = end
        checkWhetherDone()
    }

    /// Ends streams that say nothing more of themselves.
    func closeStreams() {
        output?.close()
        errors?.close()
    }

    private func checkWhetherDone() {
        guard !wasDone, end != nil, output?.hasEnded ?? true, errors?.hasEnded ?? true else { return }
        wasDone = true
        closeStreams()
        // Who waits for the end holds this process, which must not hold it in turn.
        let done = isDone
        isDone = {}
        done()
    }
}
