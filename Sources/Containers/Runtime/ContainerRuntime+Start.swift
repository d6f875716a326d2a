import AgentProtocol
import ContainerProtocol
import LinuxSystem
import MachineProtocol

/// How a container is started.
public struct StartOptions: Sendable {
    /// What of its streams the caller wants from the begin; nil: nothing, the container runs in the background.
    public var streams: AttachedStreams?
    /// Of the caller's terminal, for a container with one.
    public var terminal: ProcessConfiguration.TerminalSize?
    /// Whether the caller removes a temporary container itself (`removeEnded`); otherwise its monitor has that done.
    public var cleansUp: Bool

    /// Whether to return when the process runs, or cannot be run; otherwise at once, and the session tells of it.
    public var waitsForStart = true

    public init(streams: AttachedStreams? = nil, terminal: ProcessConfiguration.TerminalSize? = nil, cleansUp: Bool = false) {
        self.streams = streams
        self.terminal = terminal
        self.cleansUp = cleansUp
    }
}

extension ContainerRuntime {
    /// Makes a container and starts it. One that could not be started is removed again; where nobody waits for the start, that is the
    /// caller's to do (`removeEnded`).
    ///
    /// - Parameter made: called with the container before it is started.
    public func run(
        _ request: ContainerRequest, from image: PreparedImage, options: StartOptions,
        made: @escaping @Sendable (ContainerRecord) throws(ContainerError) -> Void = { _ throws(ContainerError) in }
    ) async throws(ContainerError) -> ContainerSession {
        try await BlockingWork.run { () throws(ContainerError) in
            let container = try make(request, image, isBeingRun: true)
            let record = container.record
            do throws(ContainerError) {
                try made(record)
                let hold = container.takeHold()
                guard let lock = try store.monitorLock(hold) else { throw .wrongState("container \(record.name) is running already") }
                return try begin(record, try launch(record, hold, disk: image.disk, lock: lock, options), options)
            } catch {
                try? removeFailed(record)
                throw error
            }
        }
    }

    /// Starts a container that is not running, and returns when its process runs. Where it runs already, that is no error without
    /// streams; with them it is attached to.
    public func start(_ container: String, options: StartOptions) async throws(ContainerError) -> ContainerSession {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            guard let disk = images.disk(root: record.root) else {
                throw .failed("container \(record.name): the root file system of its image \(record.image) is not in the store any more")
            }
            // Where a monitor has just ended, or is about to, the container is started all the same.
            while true {
                if let monitor = try launchUnlessRunning(record, disk: disk, options) { return try begin(record, monitor, options) }
                if let connection = try connectIfRunning(record) { return try join(record, connection, options) }
            }
        }
    }

    /// nil when it has a monitor.
    private func launchUnlessRunning(_ record: ContainerRecord, disk: String, _ options: StartOptions) throws(ContainerError) -> Launched? {
        let hold = try store.hold(record.identifier)
        guard let lock = try store.monitorLock(hold) else { return nil }
        _ = try store.settledStatusOfStopped(record.identifier, hold)
        return try launch(record, hold, disk: disk, lock: lock, options)
    }

    /// A container that runs already.
    private func join(
        _ record: ContainerRecord, _ connection: MonitorConnection, _ options: StartOptions
    ) throws(ContainerError) -> ContainerSession {
        let session = ContainerSession(connection, record, socket: store.paths(record.identifier).socket)
        guard let streams = options.streams else { return session }
        try connection.send(.attach(streams))
        if options.waitsForStart { try session.waitForStart() }
        return session
    }

    /// A monitor that has been started.
    struct Launched {
        let connection: MonitorConnection
        let identifier: Int32
    }

    /// Starts the monitor; the container is held until that is done.
    private func launch(
        _ record: ContainerRecord, _ hold: consuming ContainerStore.Hold, disk: String, lock: consuming FileDescriptor,
        _ options: StartOptions
    ) throws(ContainerError) -> Launched {
        let (configuration, paths) = (record.configuration, hold.paths)
        try Self.checkSources(configuration.mounts)
        guard paths.longestSocket.utf8.count <= UnixListener.maximumPathLength else {
            throw .failed("\(paths.longestSocket): \(paths.longestSocket.utf8.count) bytes, a socket's path has at most \(UnixListener.maximumPathLength); set XDG_RUNTIME_DIR to a shorter one")
        }
        let runtime = store.runtime
        try onFile(runtime) { () throws(Errno) in try makeDirectories(runtime, permissions: 0o700) }
        // Of a monitor that was killed: nobody has the lock.
        store.removeRunDirectory(paths)

        let programs = if let given = self.programs { given } else { try EnginePrograms.find(kernel: configuration.kernel) }
        let mac = configuration.macAddress ?? NetworkDescription.mac(machine: record.identifier, index: 0)
        let volumes = try attachVolumes(of: record)
        let attached = try store.networks.attach(record) { try? store.database.record($0) }
        do throws(ContainerError) {
            return try launch(record, paths, disk: disk, lock: lock, options, programs, mac: mac, attached, volumes)
        } catch {
            // There is no monitor that would.
            try? store.networks.release(record.identifier, isGone: false) { try? store.database.record($0) }
            throw error
        }
    }

    private func launch(
        _ record: ContainerRecord, _ paths: ContainerPaths, disk: String, lock: consuming FileDescriptor, _ options: StartOptions,
        _ programs: EnginePrograms, mac: [UInt8], _ attached: AttachedNetworks, _ volumes: [Int: VolumeAttachment]
    ) throws(ContainerError) -> Launched {
        let configuration = record.configuration
        let surroundings = NetworkSurroundings(configuration, attached)
        let sandbox = SandboxConfiguration(record, mac: mac, surroundings, time: Clock.realTimeNanoseconds(), volumes: volumes)
        var machine = MachineDescription(configuration, paths: paths, programs: programs, rootDisk: disk, mac: mac, volumes: volumes)
        machine.interfaces += attached.interfaces.enumerated().map { index, interface in
            NetworkDescription(.descriptor(MonitorProcess.firstInherited + Int32(index)), mac: interface.mac, mtu: interface.mtu)
        }
        if configuration.isCold != true { MachineTemplates(store: store.root).apply(to: &machine, monitor: programs.monitor) }
        var container = ContainerDescription(record, paths: paths, sandbox: sandbox, terminal: options.terminal, eventLog: store.events)
        container.volumeMarks = volumes.values.compactMap(\.mark).sorted()
        container.isRemovedAtEnd = record.isTemporary
        if record.isTemporary || !attached.interfaces.isEmpty { container.cleanup = try Self.cleanupCommand(record, root: store.root) }
        return try MonitorProcess.start(programs.monitor, machine: machine, container: container, lock: lock, paths: paths, networks: attached)
    }

    /// What the monitor becomes at its end, of a temporary container and of one with something on the host that is to be taken back.
    private static func cleanupCommand(_ record: ContainerRecord, root: String) throws(ContainerError) -> [String] {
        let own = try onFile("/proc/self/exe") { () throws(Errno) in try CurrentProcess.executablePath() }
        return [own, "container", "cleanup", "--root", root, record.identifier]
    }

    /// Tells the monitor what the caller wants, and waits until the process runs.
    private func begin(_ record: ContainerRecord, _ monitor: Launched, _ options: StartOptions) throws(ContainerError) -> ContainerSession {
        let connection = monitor.connection
        do throws(ContainerError) {
            if options.cleansUp { try connection.tell(.promiseCleanup) }
            let session = ContainerSession(connection, record, socket: store.paths(record.identifier).socket)
            try connection.tell(options.streams.map { .attach($0) } ?? .detach)
            if options.waitsForStart { try session.waitForStart() }
            return session
        } catch {
            // Why the monitor has ended stands in its log, where it could not say it otherwise.
            connection.waitForEnd()
            throw error
        }
    }

    /// A container that was to run and did not. Its monitor has ended or is about to.
    private func removeFailed(_ record: ContainerRecord) throws(ContainerError) {
        let hold = try store.hold(record.identifier)
        try store.waitForMonitor(hold)
        try store.remove(record.identifier, hold, withVolumes: true)
        store.note(.remove, record)
    }
}
