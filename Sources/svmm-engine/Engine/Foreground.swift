import ArgumentParser
import AgentProtocol
import Containers
import ContainerProtocol
import LinuxSystem
import Synchronization

/// A container, or a process in one, in the foreground: this process's streams, terminal and signals are its.
struct Foreground: Sendable {
    private let signals: SignalNumberQueue
    private let hasInput: Bool
    private var hasTerminal: Bool
    private let detachKeys: [UInt8]

    /// What is passed on: HUP, INT, QUIT, USR1, USR2, ALRM, TERM, WINCH.
    private static let passed: [Int32] = [1, 2, 3, 10, 12, 14, 15, 28]

    /// Blocks the signals that are passed on, before the first thread is started.
    static func takeSignals(passing: Bool = true) throws {
        ignoreWriteSignals()
        let queue = try SignalNumberQueue(passing ? passed : [28])
        shared.withLock { $0 = queue }
    }

    /// A command's own copies come and go; the signals are the process's.
    private static let shared = Mutex<SignalNumberQueue?>(nil)

    /// After `takeSignals`.
    init(hasInput: Bool, hasTerminal: Bool, detachKeys: String? = nil) throws {
        self.hasInput = hasInput
        self.hasTerminal = hasTerminal
        if let text = detachKeys {
            guard let keys = DetachKeys.parse(text) else {
                throw ValidationError("--detach-keys '\(text)': expected keys such as ctrl-p,ctrl-q, or nothing for none")
            }
            self.detachKeys = keys
        } else {
            self.detachKeys = DetachKeys.standard
        }
        guard let queue = Self.shared.withLock({ $0 }) else { throw ContainerError(.failed, "signals were not taken in time") }
        signals = queue
    }

    /// The same, for a process with a terminal or without.
    func with(terminal: Bool) -> Foreground {
        var copy = self
        copy.hasTerminal = terminal
        return copy
    }

    var streams: AttachedStreams { hasInput ? [.input, .output, .errors] : [.output, .errors] }

    /// Of this process's terminal, for a process that gets one.
    static var terminalSize: ProcessConfiguration.TerminalSize? {
        for raw: Int32 in [1, 0, 2] {
            if let size = TerminalSize(of: raw) { return ProcessConfiguration.TerminalSize(columns: size.columns, rows: size.rows) }
        }
        return nil
    }

    /// Carries streams and signals until the process has ended, or the user has left.
    ///
    /// - Parameter stopsContainer: see `StreamBridge`.
    func follow(_ session: ContainerSession, stopsContainer: Bool) async throws -> StreamBridge.End {
        var bridge = StreamBridge(input: hasInput ? 0 : nil, output: 1, errors: 2)
        bridge.signals = signals
        bridge.stopsContainer = stopsContainer
        let mode = RawMode(hasTerminal && hasInput && isTerminal(0) ? 0 : nil)
        if hasTerminal {
            bridge.terminal = [1, 0, 2].first { isTerminal($0) }
            if mode.isPossible { bridge.detachKeys = detachKeys }
        }
        // Until then Ctrl-C is a signal, and gives up the start.
        bridge.started = mode.enter
        defer { mode.restore() }
        return try await session.bridge(bridge)
    }
}

/// A terminal's raw mode, until it is restored.
final class RawMode: Sendable {
    private let raw: Int32
    private let saved: TerminalMode?
    private let isEntered = Atomic<Bool>(false)

    init(_ raw: Int32?) {
        self.raw = raw ?? -1
        guard let raw, isInForeground(of: raw), let mode = try? TerminalMode(of: raw) else {
            saved = nil
            return
        }
        saved = mode
    }

    var isPossible: Bool { saved != nil }

    func enter() {
        guard let saved else { return }
        isEntered.store(true, ordering: .releasing)
        saved.transparent().apply(to: raw)
    }

    func restore() {
        if isEntered.exchange(false, ordering: .acquiringAndReleasing) { saved?.apply(to: raw) }
    }

    deinit { restore() }
}
