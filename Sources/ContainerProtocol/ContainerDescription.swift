import AgentProtocol

/// What the monitor of a container has to know beside the machine's description: what runs in it, and what becomes of its output, its health
/// and its end.
public struct ContainerDescription: Equatable, Sendable {
    /// 64 hexadecimal digits.
    public var identifier: String
    public var name: String
    /// As the user named it; for events.
    public var image: String
    /// The container's directory, in which the monitor keeps `ContainerFiles`.
    public var directory: String
    /// Path of the socket that takes `ClientMessage`s.
    public var socket: String
    public var sandbox: SandboxConfiguration
    /// The main process. Its streams are the monitor's to name.
    public var process: ProcessConfiguration
    /// Whether standard input stays open for whoever attaches (-i).
    public var hasInput: Bool
    public var log: LogDescription
    public var restart: RestartPolicy
    /// nil: health is not asked for.
    public var health: HealthCheck?
    /// Seconds between the power button and the machine's end.
    public var stopTimeout: UInt32
    /// Path of the file that gets a line for each event (`ContainerEvent`).
    public var eventLog: String
    /// Program and arguments that the monitor becomes at the container's end, unless a client has promised to clean up; empty: none.
    public var cleanup: [String]
    /// Whether the container is removed at its end (--rm): what it wrote last need not survive.
    public var isRemovedAtEnd: Bool
    /// Files `filling` of volumes that get what the image has: renamed to `used`, beside them, when the container has been set up once.
    public var volumeMarks: [String]

    public init(identifier: String, name: String, image: String, directory: String, socket: String, sandbox: SandboxConfiguration,
                process: ProcessConfiguration, eventLog: String) {
        self.identifier = identifier
        self.name = name
        self.image = image
        self.directory = directory
        self.socket = socket
        self.sandbox = sandbox
        self.process = process
        self.eventLog = eventLog
        hasInput = false
        log = LogDescription()
        restart = .never
        health = nil
        stopTimeout = 10
        cleanup = []
        isRemovedAtEnd = false
        volumeMarks = []
    }
}

/// Where the main process's output is kept.
public struct LogDescription: Equatable, Sendable {
    /// Whether it is kept at all (`--log-driver json-file` or `none`).
    public var isKept: Bool
    /// Bytes of a file before the next one is begun; 0: no limit.
    public var maximumSize: UInt64
    /// Files kept, the current one counted: 1...100.
    public var maximumFiles: UInt8

    public init(isKept: Bool = true, maximumSize: UInt64 = 16 << 20, maximumFiles: UInt8 = 2) {
        self.isKept = isKept
        self.maximumSize = maximumSize
        self.maximumFiles = maximumFiles
    }
}

/// When the monitor starts a container again that has ended by itself.
public enum RestartPolicy: Equatable, Sendable {
    case never
    /// When the status was not 0, at most so many times; nil: without end.
    case onFailure(maximum: UInt32?)
    case always
    /// As always; the difference shows after a boot of the host only.
    case unlessStopped
}

/// A command that tells whether the container does its work. Times in milliseconds.
public struct HealthCheck: Equatable, Sendable {
    /// Program and arguments; status 0 is healthy.
    public var command: [String]
    public var interval: UInt64
    public var timeout: UInt64
    /// Failures that do not count after the start.
    public var startPeriod: UInt64
    /// Failures in a row that make it unhealthy, at least 1.
    public var retries: UInt32

    public init(command: [String], interval: UInt64 = 30_000, timeout: UInt64 = 30_000, startPeriod: UInt64 = 0, retries: UInt32 = 3) {
        self.command = command
        self.interval = interval
        self.timeout = timeout
        self.startPeriod = startPeriod
        self.retries = retries
    }
}

/// The names in a container's directory.
public enum ContainerFiles {
    /// An encoded `ContainerStatus`, replaced as a whole.
    public static let status = "status"
    /// Locked (flock) by the monitor for as long as it lives: whoever gets the lock knows that there is none.
    public static let lock = "lock"
    /// Output, one JSON object a line: time, stream, log. Older files have .1, .2… behind the name.
    public static let log = "output.jsonl"
    /// The guest's console.
    public static let console = "console.log"
    /// What the monitor says on standard error.
    public static let monitor = "monitor.log"
    /// The disk with what the container has written.
    public static let writableDisk = "writable.ext4"
    /// What a mark of `ContainerDescription.volumeMarks` is renamed to.
    public static let usedVolume = "used"
}
