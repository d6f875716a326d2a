import LinuxSystem
import OCI
import Registry
import Synchronization

/// Shows how far a transfer is: bars on a terminal, and nothing elsewhere but what went wrong and is tried again.
final class TransferDisplay: Sendable {
    private let title: String
    private let isQuiet: Bool
    private let isTerminal: Bool
    private let state = Mutex(State())

    private struct State {
        var sizes: [Digest: UInt64] = [:]
        /// Those that are on their way, in the order in which they began.
        var active: [(digest: Digest, done: UInt64)] = []
        /// Lines on the screen that are drawn anew.
        var drawn = 0
        var lastDraw = ContinuousClock.now - .seconds(1)
    }

    private static let output: Int32 = 2
    private static let interval = Duration.milliseconds(100)

    init(title: String, isQuiet: Bool) {
        self.title = title
        self.isQuiet = isQuiet
        isTerminal = LinuxSystem.isTerminal(Self.output)
    }

    /// Runs a transfer, which reports its progress.
    func showing<Result: Sendable>(
        _ transfer: (@escaping @Sendable (TransferProgress) -> Void) async throws -> Result
    ) async throws -> Result {
        defer { state.withLock { clear(&$0) } }
        return try await transfer { self.note($0) }
    }

    private func note(_ progress: TransferProgress) {
        guard !isQuiet else { return }
        state.withLock { state in
            switch progress {
            case .resolved(_, let blobs):
                for blob in blobs { state.sizes[blob.digest] = blob.size }
                say(title, &state)
            case .blob(let digest, .present):
                end(digest, "already there", &state)
            case .blob(let digest, .finished):
                end(digest, ByteCount.text(state.sizes[digest] ?? 0), &state)
            case .blob(let digest, .transferred(let done)):
                let index = state.active.firstIndex { $0.digest == digest }
                if let index { state.active[index].done = done } else { state.active.append((digest, done)) }
                // At once when it begins: nothing else may come for a while.
                draw(&state, isUrgent: index == nil)
            case .retrying(let error, let delay):
                clear(&state)
                let seconds = Double(delay.components.seconds) + Double(delay.components.attoseconds) / 1e18
                printErrorLine("svmm: \(error); trying again in \(Int(seconds.rounded(.up))) s")
                draw(&state, isUrgent: true)
            }
        }
    }

    private func end(_ digest: Digest, _ text: String, _ state: inout State) {
        state.active.removeAll { $0.digest == digest }
        say("\(digest.short)  \(text)", &state)
    }

    /// A line that stays, above those that change.
    private func say(_ line: String, _ state: inout State) {
        guard isTerminal else { return }
        clear(&state)
        write("\(line)\n")
        draw(&state, isUrgent: true)
    }

    private func draw(_ state: inout State, isUrgent: Bool) {
        guard isTerminal else { return }
        let now = ContinuousClock.now
        guard isUrgent || now - state.lastDraw >= Self.interval else { return }
        state.lastDraw = now
        // A terminal that does not know its size says 0.
        let known = Int(TerminalSize(of: Self.output)?.columns ?? 0)
        let columns = known > 0 ? known : 80
        let lines = state.active.map { Self.bar($0.digest, $0.done, of: state.sizes[$0.digest] ?? 0, columns: columns) }
        write(Self.up(state.drawn) + lines.map { "\u{1B}[2K\($0)\n" }.joined() + "\u{1B}[J")
        state.drawn = lines.count
    }

    private func clear(_ state: inout State) {
        guard state.drawn > 0 else { return }
        write(Self.up(state.drawn) + "\u{1B}[J")
        state.drawn = 0
    }

    /// One line, not as wide as the terminal.
    static func bar(_ digest: Digest, _ done: UInt64, of size: UInt64, columns: Int) -> String {
        let text = "\(ByteCount.text(done)) / \(ByteCount.text(size))"
        let width = columns - digest.short.count - text.count - 8
        guard width >= 10 else { return String("\(digest.short) \(text)".prefix(max(columns - 1, 0))) }
        let share = size == 0 ? 1 : min(Double(done) / Double(size), 1)
        let filled = Int((Double(width) * share).rounded(.down))
        let hasArrow = filled < width && filled > 0
        let head = String(repeating: "=", count: hasArrow ? filled - 1 : filled) + (hasArrow ? ">" : "")
        return "\(digest.short)  [\(head)\(String(repeating: " ", count: width - filled))]  \(text)"
    }

    private static func up(_ lines: Int) -> String { lines > 0 ? "\r\u{1B}[\(lines)A" : "" }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { writeWhatFits(Self.output, $0) }
    }
}
