import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// What a session is connected with on this side: open files, and what comes beside their bytes.
public struct StreamBridge: Sendable {
    /// Descriptors; nil: not connected. They stay the caller's.
    public var input: Int32?
    public var output: Int32?
    public var errors: Int32?
    /// Keys that leave the container alone (a terminal's); empty: none.
    public var detachKeys: [UInt8] = []
    /// The terminal whose size the process's follows.
    public var terminal: Int32?
    /// Signals that are passed on: SIGWINCH changes the size of the terminal, all others are sent to the process.
    public var signals: SignalNumberQueue?
    /// Whether SIGTERM stops the container in order, as does every signal before the process runs, and the end of whoever takes its output.
    public var stopsContainer = false
    /// Called on the bridge's thread when the process runs: what it is sent from now on it gets.
    public var started: @Sendable () -> Void = {}

    public init(input: Int32? = nil, output: Int32? = nil, errors: Int32? = nil) {
        self.input = input
        self.output = output
        self.errors = errors
    }

    /// How a bridge ended.
    public enum End: Sendable, Equatable {
        case exited(ContainerExit)
        /// The user has left, by the detach keys.
        case detached
        /// Nobody takes the output any more.
        case outputClosed
    }
}

extension ContainerSession {
    /// Carries everything between the process and the caller's files until the process ends, on a thread of its own.
    public func bridge(_ bridge: StreamBridge) async throws(ContainerError) -> StreamBridge.End {
        try await BlockingWork.run { [self] () throws(ContainerError) in
            var loop = BridgeLoop(session: self, bridge: bridge)
            return try loop.run()
        }
    }
}

/// The loop of one bridge. Nothing in it waits but `poll`: a reader that has stopped reading keeps no signal from its process.
private struct BridgeLoop {
    let session: ContainerSession
    let bridge: StreamBridge
    /// On its way to the monitor.
    private var outgoing: [UInt8] = []
    /// On its way to our output and error output.
    private var pending: [(target: Int32, bytes: ArraySlice<UInt8>)] = []
    private var inputIsOpen: Bool
    private var keys: DetachKeys
    private var hasLostOutput = false
    /// What must not wait behind input that the process does not take goes here.
    private var side: MonitorConnection?

    private var connection: MonitorConnection { session.connection }

    private static let inputSize = 32 << 10

    init(session: ContainerSession, bridge: StreamBridge) {
        self.session = session
        self.bridge = bridge
        inputIsOpen = bridge.input != nil
        keys = DetachKeys(bridge.detachKeys)
    }

    mutating func run() throws(ContainerError) -> StreamBridge.End {
        if session.hasStarted { begin() }
        var poll = PollSet(capacity: 4)
        var isConnected = true
        while true {
            // Messages that have arrived are dealt with while their output is taken.
            while pending.isEmpty, let message = try connection.next() {
                if let end = try handle(message) { return end }
            }
            if pending.isEmpty, !isConnected { throw connection.gone }
            if hasLostOutput, !bridge.stopsContainer { return .outputClosed }
            // A descriptor of which nothing is wanted would still report its end, again and again.
            let wantsMore = pending.isEmpty && isConnected
            poll.set(0, wantsMore || !outgoing.isEmpty ? connection.raw : nil, input: wantsMore, output: !outgoing.isEmpty)
            // What is sent before the process runs goes nowhere.
            poll.set(1, inputIsOpen && outgoing.isEmpty && session.hasStarted ? bridge.input : nil, input: true)
            poll.set(2, bridge.signals?.raw, input: true)
            poll.set(3, pending.first?.target, output: true)
            poll.wait()
            if poll.isReady(2) { try passSignals() }
            if poll.isReady(3) { writePending() }
            if !outgoing.isEmpty { outgoing.removeFirst(try connection.sendWhatFits(outgoing[...])) }
            if poll.isReady(1), try readInput() == .detached { return .detached }
            if poll.hasInput(0) { isConnected = try connection.fill() }
        }
    }

    private mutating func handle(_ message: MonitorMessage) throws(ContainerError) -> StreamBridge.End? {
        // Answers to signals.
        if case .done = message { return nil }
        switch try session.event(message) {
        case .started: begin()
        case .output(let bytes):
            if let target = bridge.output, !hasLostOutput { pending.append((target, bytes[...])) }
        case .errors(let bytes):
            if let target = bridge.errors, !hasLostOutput { pending.append((target, bytes[...])) }
        case .exited(let exit): return .exited(exit)
        }
        return nil
    }

    /// A part that a pipe with room for anything takes without waiting (PIPE_BUF).
    private mutating func writePending() {
        guard var first = pending.first else { return }
        let target = first.target
        var failure: Errno?
        let count = first.bytes.prefix(4096).withUnsafeBytes { bytes -> Int in
            do throws(Errno) {
                return try LinuxSystem.write(target, bytes)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure {
            // Another's non-blocking file that was full after all is tried again; everything else is its end.
            if failure == .again { return }
            pending = []
            if bridge.stopsContainer, !hasLostOutput { askForStop() }
            hasLostOutput = true
            return
        }
        first.bytes = first.bytes.dropFirst(count)
        if first.bytes.isEmpty { pending.removeFirst() } else { pending[0] = first }
    }

    private enum Input {
        case goesOn, detached
    }

    private mutating func readInput() throws(ContainerError) -> Input {
        guard let input = bridge.input else { return .goesOn }
        var bytes = [UInt8](repeating: 0, count: Self.inputSize)
        let count = bytes.withUnsafeMutableBytes { buffer -> Int in
            do throws(Errno) {
                return try LinuxSystem.read(input, into: buffer)
            } catch {
                return error == .again ? -1 : 0
            }
        }
        guard count >= 0 else { return .goesOn }
        guard count > 0 else {
            inputIsOpen = false
            outgoing += ClientMessage.endOfInput.frame
            return .goesOn
        }
        let (passed, isDetached) = keys.filter(bytes[..<count])
        if !passed.isEmpty { outgoing += ClientMessage.input(passed).frame }
        return isDetached ? .detached : .goesOn
    }

    private mutating func passSignals() throws(ContainerError) {
        while let number = bridge.signals?.next() {
            if number == Signal.windowChange.rawValue {
                if session.hasStarted { sendTerminalSize() }
            } else if bridge.stopsContainer, number == Signal.terminate.rawValue || !session.hasStarted {
                askForStop()
            } else if let number = UInt8(exactly: number) {
                sendUrgently(.signal(number))
            }
        }
    }

    private mutating func askForStop() { sendUrgently(.stop(timeout: nil)) }

    /// Sends what is for the container as a whole, or its main process, past all input.
    private mutating func sendUrgently(_ message: ClientMessage) {
        if bridge.input != nil, let socket = session.socket {
            do throws(ContainerError) {
                if side == nil { side = try MonitorConnection(to: socket, container: session.record.name) }
                try side?.send(message)
                return
            } catch {
                // The session itself tells of a monitor that has gone.
                side = nil
            }
        }
        outgoing += message.frame
    }

    private mutating func begin() {
        bridge.started()
        // A change before now has reached nobody.
        sendTerminalSize()
    }

    private mutating func sendTerminalSize() {
        guard let raw = bridge.terminal, let size = TerminalSize(of: raw) else { return }
        outgoing += ClientMessage.resize(ProcessConfiguration.TerminalSize(columns: size.columns, rows: size.rows)).frame
    }
}
