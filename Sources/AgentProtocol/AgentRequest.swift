import Wire

/// What the host asks of the agent. Requests are answered in any order, by the number they came with.
public enum AgentRequest: Equatable, Sendable {
    /// Once, first.
    case setUp(SandboxConfiguration)
    /// Starts the container's main process, as the first of a PID namespace of its own. With its end everything in that namespace ends.
    case start(ProcessConfiguration)
    /// Starts another process in the container; `process` is the number by which it is known from then on, not 0, chosen by the host.
    case execute(process: UInt32, ProcessConfiguration)
    /// Sends a signal to a process (0: the main one).
    case signal(process: UInt32, signal: UInt8)
    case resize(process: UInt32, ProcessConfiguration.TerminalSize)
    case statistics
    /// The container's processes.
    case processes
    /// Stops all processes of the container where they are, or lets them go on (the cgroup freezer).
    case freeze(Bool)
    /// Sends a tar archive (pax) of a file or directory of the container to a stream, and then answers. Names in the archive begin with the last
    /// component of the path; of "/" they are relative to the root, which then means the container's own root file system and nothing
    /// mounted below it.
    case archive(path: String, stream: UInt64)
    /// Unpacks a tar archive from a stream into a directory of the container, and then answers. Nothing is written outside that directory,
    /// whatever links the archive or the directory hold.
    case extract(path: String, stream: UInt64)
    /// What there is at a path of the container, links not followed.
    case status(path: String)
    /// Sets the guest's clock: nanoseconds since 1970.
    case setTime(UInt64)
    /// The disk with this serial number, of a mount of the container's, has so many bytes now or will have them within seconds: its file system
    /// grows to that, while it is used. One that is as large already stays as it is.
    case growDisk(serial: String, size: UInt64)
    /// Ends all processes, syncs and unmounts, answers; then the machine may be killed at any moment. Without `syncs` nothing of what was written
    /// last need survive.
    case shutDown(syncs: Bool)
}

/// What the agent says.
public enum AgentMessage: Equatable, Sendable {
    /// The agent runs: version, and milliseconds since the guest's kernel started.
    case hello(version: UInt32, milliseconds: UInt32)
    case reply(request: UInt32, AgentReply)
    /// A process has ended (0: the main one), and everything that it had written has been sent. Status: 0...255, or 128 and the number of the
    /// signal.
    case exited(process: UInt32, status: UInt8, wasOutOfMemory: Bool)
    /// The power button was pressed: the agent stops the container, syncs, unmounts and powers off.
    case stopping
    /// The kernel has killed a process of the container for want of memory; how many so far.
    case outOfMemory(count: UInt32)
    /// A line for the monitor's log.
    case note(String)
    /// What the kernel has logged until the main process was started, once, for the console: printed there line by line it would hold
    /// up the boot. At most `AgentChannel.maximumKernelLog` bytes, the newest.
    case kernelLog([UInt8])
    /// The container is still being set up: a volume gets what the image has, and that goes on. At most once in five seconds.
    case progress
}

public enum AgentReply: Equatable, Sendable {
    case done
    case failed(AgentFailure)
    case statistics(AgentStatistics)
    case processes([ProcessEntry])
    case status(PathStatus)
}

/// Why a request failed.
public struct AgentFailure: Error, Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// What the request is about does not allow it; the text says why.
        case failed = 0
        /// There is no such program (exit status 127).
        case commandNotFound = 1
        /// The program cannot be executed (exit status 126).
        case commandNotExecutable = 2
        /// There is no such path or process.
        case notFound = 3
    }

    public var kind: Kind
    /// One line: what was found, what was expected.
    public var text: String

    public init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }
}

/// Figures of the container as its own kernel counts them.
public struct AgentStatistics: Equatable, Sendable {
    /// Microseconds of CPU time: all, in user mode, in the kernel.
    public var cpu: UInt64 = 0
    public var cpuUser: UInt64 = 0
    public var cpuSystem: UInt64 = 0
    /// Bytes that the container's processes and their page cache take; the most so far; the machine's memory.
    public var memory: UInt64 = 0
    public var memoryPeak: UInt64 = 0
    public var memoryTotal: UInt64 = 0
    /// Bytes of it that are page cache which can go.
    public var memoryCache: UInt64 = 0
    public var processes: UInt64 = 0
    /// Bytes over all interfaces but lo.
    public var received: UInt64 = 0
    public var transmitted: UInt64 = 0
    /// Bytes from and to disks.
    public var blockRead: UInt64 = 0
    public var blockWritten: UInt64 = 0
    public var outOfMemoryKills: UInt64 = 0

    public init() {}

    /// In the order of their declaration.
    var values: [UInt64] {
        [cpu, cpuUser, cpuSystem, memory, memoryPeak, memoryTotal, memoryCache, processes, received, transmitted, blockRead, blockWritten,
         outOfMemoryKills]
    }
}

/// A line of `container top`.
public struct ProcessEntry: Equatable, Sendable {
    /// As the container's own PID namespace numbers them; 0 for one of another namespace.
    public var identifier: UInt32
    public var parent: UInt32
    public var user: UInt32
    /// Milliseconds of CPU time, and since the start.
    public var cpu: UInt64
    public var elapsed: UInt64
    /// Bytes.
    public var resident: UInt64
    /// As in ps: R, S, D, Z…
    public var state: UInt8
    /// Words with spaces between them; a kernel's name for it in brackets where there are none.
    public var command: String

    public init(identifier: UInt32, parent: UInt32, user: UInt32, cpu: UInt64, elapsed: UInt64, resident: UInt64, state: UInt8,
                command: String) {
        self.identifier = identifier
        self.parent = parent
        self.user = user
        self.cpu = cpu
        self.elapsed = elapsed
        self.resident = resident
        self.state = state
        self.command = command
    }
}

/// What there is at a path.
public struct PathStatus: Equatable, Sendable {
    /// st_mode.
    public var mode: UInt32
    public var size: UInt64
    /// Where a symbolic link leads; otherwise empty.
    public var target: String

    public init(mode: UInt32, size: UInt64, target: String) {
        self.mode = mode
        self.size = size
        self.target = target
    }
}
