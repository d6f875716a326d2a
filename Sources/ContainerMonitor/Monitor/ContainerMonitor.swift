import AgentProtocol
import ContainerProtocol
import ContainerRecords
import LinuxSystem

/// A container from the start of its monitor to the end: what runs in its virtual machine, who is connected to it, what is written down
/// about it.
///
/// Everything happens on the control loop's thread. The guest, which is hostile, and clients, which are slow, make nothing here grow
/// without bound: whoever sends streams is not read while the one they are for does not read.
public final class ContainerMonitor {
    /// How far the machine and the main process are.
    enum Phase {
        /// No machine runs; one is about to.
        case preparing
        /// The machine runs; its agent has not said hello.
        case booting
        case settingUp
        /// All is set up; the first client has not said whether it attaches.
        case ready
        /// The agent starts the main process.
        case starting
        case running
        /// The main process has ended; what it wrote is still being taken.
        case draining
        /// The agent unmounts what is to be kept.
        case leaving
        /// The machine is being taken apart.
        case ending
        /// No machine runs; the next one waits for its time.
        case resting
        case over
    }

    /// How a machine's run has ended for the container.
    struct RunEnd: Equatable {
        var end: ProcessEnd
        /// Why it could not be run, or no further; empty for a process that has ended by itself.
        var failure = ""
        /// Whether the main process has run at all.
        var hasRun = true
    }

    /// Changes once: see `noteFilledVolumes`.
    var container: ContainerDescription
    let loop: EventLoop
    let timers: Timers
    let directory: ContainerDirectory
    let events: EventLog
    let log: OutputLog?
    weak var machine: (any ContainerMachine)?
    var link: AgentLink?
    var status: ContainerStatus
    var phase = Phase.preparing

    /// Of the machine that runs, or has run last.
    var main: GuestProcess?
    var processes: [UInt32: GuestProcess] = [:]
    var lastProcess: UInt32 = 0
    var runEnd: RunEnd?
    /// What the end will have been when the machine is gone, where the guest does not say.
    var verdict: RunEnd?
    var machineEnd: MachineEnd?
    var isMachineUp = false
    /// The agent of the machine that runs has said hello.
    var hasGreeted = false
    /// The agent has set the container up in this machine.
    var isSetUp = false
    /// The container's processes are frozen.
    var isPaused = false
    /// For the one step that must not take for ever.
    var patience: Timers.Token?

    var acceptor: Acceptor?
    var clients: [ClientConnection] = []
    /// The one from the start, for as long as it is connected.
    weak var firstClient: ClientConnection?
    var hasFirstClientSpoken: Bool

    var stop = StopState()
    var restart: RestartState
    var health: HealthState?
    var healthTimers = HealthTimers()
    var notes = NoteLimit()
    var outOfMemoryCount: UInt32 = 0
    /// Waits for clients to read their last messages.
    var isConcluding = false
    private var lock: FileDescriptor?
    /// Sockets that have published ports of the host, closed with the lock: whoever starts the container again has them back.
    public var ports: [Int32] = []

    /// - Parameters:
    ///   - client: a connected stream socket, whose other end says `attach` or `detach` before the main process starts.
    ///   - lock: the container's lock file, locked; released at the end.
    public convenience init(
        _ container: ContainerDescription, loop: EventLoop, client: consuming FileDescriptor?, lock: consuming FileDescriptor?
    ) throws(ContainerError) {
        let time: SystemTime
        do throws(Errno) {
            time = try SystemTime(loop)
        } catch {
            throw ContainerError("no timer for the container's monitor: \(error)")
        }
        try self.init(container, loop: loop, time: time, client: client, lock: lock)
    }

    init(
        _ container: ContainerDescription, loop: EventLoop, time: any TimeSource, client: consuming FileDescriptor?,
        lock: consuming FileDescriptor?
    ) throws(ContainerError) {
        self.container = container
        self.loop = loop
        self.lock = lock
        let timers = Timers(time)
        self.timers = timers
        let directory = try ContainerDirectory(container.directory)
        self.directory = directory
        let now = { timers.realTime }
        events = EventLog(container.eventLog, identifier: container.identifier, name: container.name, image: container.image,
                          time: now, note: Self.note)
        log = container.log.isKept
            ? OutputLog(RotatingFile(directory, ContainerFiles.log, container.log, note: Self.note), time: now) : nil
        status = ContainerStatus(state: .starting, processIdentifier: CurrentProcess.identifier)
        restart = RestartState(container.restart)
        hasFirstClientSpoken = true
        if let client = client.take() {
            let first = addClient(UnixStream(client))
            firstClient = first
            hasFirstClientSpoken = false
        }
    }

    /// Makes the sockets, before the first machine.
    ///
    /// - Parameter vsockPath: of the vsock device's sockets, without the port; nil: there are none.
    public func begin(_ machine: any ContainerMachine, vsockPath: String?) throws(ContainerError) {
        self.machine = machine
        guard let vsockPath else { throw ContainerError("the machine has no vsock device with unix sockets, by which its agent arrives") }
        let link = try AgentLink(path: vsockPath, loop, timers)
        link.connected = { [unowned self] in agentHasConnected($0) }
        self.link = link
        let acceptor = try Acceptor(path: container.socket, loop, timers) { [unowned self] in acceptClient($0) }
        do throws(Errno) { try acceptor.start() } catch { throw ContainerError("\(container.socket): \(error)") }
        self.acceptor = acceptor
        writeStatus()
    }

    /// For monitor.log.
    static func note(_ line: String) {
        printErrorLine("svmm: \(line)")
    }

    /// Gives up the container's lock.
    func releaseLock() {
        for port in ports { closeInherited(port) }
        ports = []
        lock?.unlockWhole()
        lock = nil
    }

    /// Writes down how the container is.
    func writeStatus(isDurable: Bool = false) {
        do throws(Errno) {
            try directory.replace(ContainerFiles.status, with: status.encoded, isDurable: isDurable)
        } catch {
            if notes.mayComplain { Self.note("\(container.directory)/\(ContainerFiles.status) cannot be written: \(error)") }
        }
    }

    /// Has `body` called when the current step takes too long.
    func allow(_ nanoseconds: UInt64, _ body: @escaping () -> Void) {
        timers.cancel(&patience)
        patience = timers.after(nanoseconds, body)
    }
}

/// Keeps a guest from filling the monitor's log.
struct NoteLimit {
    private var rest = 256 << 10
    private var hasComplained = false

    /// The line, or another that says it is the last; nil when it was.
    mutating func take(_ line: String) -> String? {
        guard rest > 0 else { return nil }
        rest -= line.utf8.count + 1
        return rest > 0 ? line : "the guest's agent has said too much; no more of it is written down"
    }

    /// Once.
    var mayComplain: Bool {
        mutating get {
            defer { hasComplained = true }
            return !hasComplained
        }
    }
}
