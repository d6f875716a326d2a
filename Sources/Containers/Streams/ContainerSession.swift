import AgentProtocol
import ContainerProtocol
import LinuxSystem
import Synchronization

/// What a session brings.
public enum SessionEvent: Sendable, Equatable {
    /// The process runs; where the start was not waited for.
    case started
    /// Of the process's standard output; with a terminal, all that it shows.
    case output([UInt8])
    case errors([UInt8])
    case exited(ContainerExit)
}

/// A connection to a process of a container: its streams, its signals and its end.
///
/// One task calls `next`, or `bridge`; any task the rest.
public final class ContainerSession: Sendable {
    /// The container.
    public let record: ContainerRecord
    let connection: MonitorConnection
    let started = Atomic<Bool>(false)
    /// Where else the monitor can be reached, about the main process; nil in the session of another.
    let socket: String?

    init(_ connection: MonitorConnection, _ record: ContainerRecord, socket: String? = nil) {
        self.connection = connection
        self.record = record
        self.socket = socket
    }

    /// Waits for what the process does next; nil when the monitor is gone. After `exited` nothing comes.
    public func next() async throws(ContainerError) -> SessionEvent? {
        try await BlockingWork.run { [self] () throws(ContainerError) in
            guard let message = try connection.receive() else { return nil }
            return try event(message)
        }
    }

    /// Sends standard input; waits while the process takes none. Throws before the process runs: nobody would get it.
    public func send(_ input: [UInt8]) async throws(ContainerError) {
        try requireStart()
        try await BlockingWork.run { [self] () throws(ContainerError) in
            var rest = input[...]
            while !rest.isEmpty {
                let part = rest.prefix(ContainerChannel.maximumPart)
                rest = rest.dropFirst(part.count)
                try connection.send(.input(Array(part)))
            }
        }
    }

    /// The process reads the end of its standard input. Throws before the process runs.
    public func endInput() throws(ContainerError) {
        try requireStart()
        try connection.send(.endOfInput)
    }

    private func requireStart() throws(ContainerError) {
        guard hasStarted else { throw .wrongState("container \(record.name): its process does not run yet") }
    }

    public func resize(_ size: ProcessConfiguration.TerminalSize) throws(ContainerError) { try connection.send(.resize(size)) }

    public func signal(_ number: UInt8) throws(ContainerError) { try connection.send(.signal(number)) }

    /// Waits until the monitor has closed the connection: after the container's end it does so at its own.
    public func waitForClose() async {
        _ = try? await BlockingWork.run { [self] () throws(ContainerError) in connection.waitForEnd() }
    }

    func event(_ message: MonitorMessage) throws(ContainerError) -> SessionEvent {
        switch message {
        case .started:
            started.store(true, ordering: .releasing)
            return .started
        case .output(let bytes): return .output(bytes)
        case .errors(let bytes): return .errors(bytes)
        case .exited(let status, let wasOutOfMemory): return .exited(ContainerExit(status: Int32(status), wasOutOfMemory: wasOutOfMemory))
        case .failed(let status, let text): throw ContainerError(status: status, text)
        default: throw connection.unexpected(message)
        }
    }

    /// Waits for the answer to what asked for the session: throws why the process does not run.
    func waitForStart() throws(ContainerError) {
        switch try connection.receive() {
        case .started?: started.store(true, ordering: .releasing)
        case .failed(let status, let text)?: throw ContainerError(status: status, text)
        case nil: throw connection.gone
        case let other?: throw connection.unexpected(other)
        }
    }

    /// Whether the process has been started, as far as the session has heard.
    public var hasStarted: Bool { started.load(ordering: .acquiring) }
}
