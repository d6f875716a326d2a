import AgentProtocol
import Wire

/// What a client says to a container's monitor, on the container's socket or on the connection that it gave the monitor at the start.
///
/// Each message is a 32-bit length, little-endian, and as many bytes. A client asks one thing at a time: a request while another is under
/// way ends the connection. `attach`, `execute`, `archive` and `extract` make the connection a session: from their answer on both sides send
/// what the session knows, until `exited`, `done` or `failed`. What a client sends before `started`, or after the end, is dropped.
///
/// `exited` comes as soon as the main process has ended and all of its output has been sent, while the machine still runs. Before the monitor
/// ends it closes its connections: whoever sees that finds the machine taken apart, the disks free, the status written and the lock
/// released. With a restart policy `attach` ends with the process; `wait` and `stop` with the container.
///
/// The monitor writes the events start, die, stop, kill (of `stop`, and of signals in a session of the main process), restart, oom,
/// health_status, pause, unpause, attach, exec_start and exec_die. Others are their causes' to write.
public enum ClientMessage: Equatable, Sendable {
    /// The main process's streams from now on. On the connection from the start the process waits for this message or for `detach`. Answered
    /// by `started` when it runs, then `output`, `errors` and at last `exited`.
    case attach(AttachedStreams)
    /// Nothing more is wanted than to know whether the process started: `started` or `failed`. For the connection from the start.
    case detach
    /// Another process in the container. Its `started` is followed by the session, unless nothing is attached.
    case execute(ProcessConfiguration, AttachedStreams)

    // In a session of `attach`, `execute` or `extract`:
    /// At most `ContainerChannel.maximumPart` bytes.
    case input([UInt8])
    case endOfInput
    case resize(ProcessConfiguration.TerminalSize)
    /// To the session's process, without an answer; outside a session to the main one, answered by `done`. One that ends a container by
    /// rights (SIGKILL, its stop signal) also ends its restart policy.
    case signal(UInt8)

    /// The power button, and SIGKILL after so many seconds; nil: the container's own time. Answered by `exited`, also where the main process
    /// has not started yet. In a session of the main process it has no other answer than the session's own end.
    case stop(timeout: UInt32?)
    /// Answered by `exited`, when that is so.
    case wait
    /// From now on it is this client that cleans up after the container's end, for as long as it is connected. No answer.
    case promiseCleanup
    case pause(Bool)
    case statistics
    case processes
    case status
    case rename(String)
    /// See `AgentRequest`. `output` messages, then `done`.
    case archive(path: String)
    /// `input` messages, then `endOfInput`, which is answered by `done`.
    case extract(path: String)
    case pathStatus(String)
    /// See `AgentRequest`; answered by `done`.
    case growDisk(serial: String, size: UInt64)
}

/// Which streams a session carries. With a terminal, `output` is all of it.
public struct AttachedStreams: OptionSet, Equatable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let input = AttachedStreams(rawValue: 1)
    public static let output = AttachedStreams(rawValue: 2)
    public static let errors = AttachedStreams(rawValue: 4)
}

/// What the monitor says.
public enum MonitorMessage: Equatable, Sendable {
    case done
    /// One line, and the exit status that fits: 125, 126 (not executable) or 127 (not found).
    case failed(status: UInt8, String)
    case started
    case output([UInt8])
    case errors([UInt8])
    case exited(status: UInt8, wasOutOfMemory: Bool)
    case statistics(AgentStatistics, residentBytes: UInt64)
    case processes([ProcessEntry])
    case status(ContainerStatus)
    case pathStatus(PathStatus)
}

public enum ContainerChannel {
    public static let headerSize = AgentChannel.headerSize
    /// Bytes of a part of a stream in one message.
    public static let maximumPart = 64 << 10

    /// The length that a header announces; nil when it is none that a message may have.
    public static func size(_ header: some Collection<UInt8>) -> Int? { AgentChannel.size(header) }
}
