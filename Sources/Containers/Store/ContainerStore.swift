import ContainerProtocol
import LinuxSystem
import Networks

/// The containers of one root directory: the database, a directory for each, and their sockets' directories. Any thread, any number of
/// processes.
///
/// Locks, in this order: `creation` of the store, shared by those who make containers, alone for whoever removes what the killed ones of
/// them have left; a container's directory (flock), by whoever changes the container; the file `lock` in it, by the container's monitor
/// for as long as it lives. The last is only tried, unless the monitor is known to be about to end, and only by who holds the one
/// before it. Locks of volumes: see `VolumeStore`.
final class ContainerStore: Sendable {
    let root: String
    let database: ContainerDatabase
    /// Where the run directories are.
    let runtime: String
    let volumes: VolumeStore
    let networks: NetworkStore

    /// - Parameters:
    ///   - root: absolute; made if it is missing.
    ///   - runtime: made when it is needed.
    ///   - host: whose networks containers are on; nil: this one.
    init(root: String, runtime: String, host: (any NetworkHost)? = nil) throws(ContainerError) {
        self.root = root
        self.runtime = runtime
        volumes = VolumeStore(store: root)
        networks = NetworkStore(root: root, runtime: runtime, host: host ?? SystemNetworkHost())
        let folder = root + "/containers"
        // The usual case costs one call.
        if (try? fileStatus(at: folder))?.kind != .directory {
            try onFile(folder) { () throws(Errno) in try makeDirectories(folder, permissions: 0o700) }
        }
        let path = root + "/containers.sqlite"
        if (try? fileStatus(at: path)) == nil { try Self.requireNoContainers(folder, database: path) }
        database = try ContainerDatabase(path: path, lock: root + "/containers.lock")
        try markFolder()
    }

    /// The database comes before the first container: where it is missing beside some, it was lost, and a new one would take them for
    /// leftovers.
    private static func requireNoContainers(_ folder: String, database: String) throws(ContainerError) {
        let names = try onFile(folder) { () throws(Errno) in try LinuxSystem.names(inDirectory: folder) }
        let count = names.count { ContainerIdentifier.isWhole($0) }
        // Another process may have made both meanwhile.
        guard count > 0, (try? fileStatus(at: database)) == nil else { return }
        throw .failed("\(database): missing, though the directories of \(count) containers are in \(folder); bring it back, or remove them")
    }

    /// The lock file's other use: where it is, the directory is the one that the database knows. It is not made in one that may
    /// have taken that one's place, of a file system that is not mounted: containers that are only out of reach would be deleted.
    private func markFolder() throws(ContainerError) {
        guard !isFolderKnown else { return }
        let known = try database.identifiers()
        guard known.isEmpty || known.contains(where: { (try? fileStatus(at: paths($0).directory))?.kind == .directory }) else { return }
        let lock = creationLock
        _ = try onFile(lock) { () throws(Errno) in try FileDescriptor.open(lock, [.readWrite, .create]) }
    }

    var isFolderKnown: Bool { (try? fileStatus(at: creationLock)) != nil }

    var folder: String { root + "/containers" }
    var creationLock: String { folder + "/.lock" }
    var events: String { root + "/events.jsonl" }

    func paths(_ identifier: String) -> ContainerPaths {
        ContainerPaths(directory: "\(folder)/\(identifier)", runDirectory: "\(runtime)/\(ContainerIdentifier.short(identifier))")
    }

    // MARK: Locks

    /// For whoever makes a container.
    func lockCreation() throws(ContainerError) -> FileDescriptor {
        try markFolder()
        let lock = creationLock
        do throws(Errno) {
            let file = try FileDescriptor.open(lock, .readWrite)
            try file.waitForLock(shared: true)
            return file
        } catch {
            guard error == .noEntry else { throw .file(lock, error) }
            throw .failed("""
                \(folder): none of the containers is there that \(root)/containers.sqlite knows; mount the file system that has them, \
                or svmm container rm them
                """)
        }
    }

    /// Alone, for whoever removes what those have left; nil where somebody makes one.
    func tryLockCreation() throws(ContainerError) -> FileDescriptor? {
        let lock = creationLock
        return try onFile(lock) { () throws(Errno) -> FileDescriptor? in
            let file = try FileDescriptor.open(lock, .readWrite)
            if try file.tryLock(shared: false) { return file }
            return nil
        }
    }

    /// Held by whoever changes a container: see the type.
    struct Hold: ~Copyable {
        fileprivate let directory: FileDescriptor
        let paths: ContainerPaths

        // Closing the file is not enough: a child that another thread has forked, and that has yet to become its program, has it too.
        deinit { try? directory.unlock() }
    }

    /// Waits until nobody else changes the container.
    func hold(_ identifier: String) throws(ContainerError) -> Hold {
        // Of a damaged row: it may lead anywhere.
        guard ContainerIdentifier.isWhole(identifier) else { throw .notFound(identifier) }
        let paths = paths(identifier)
        do throws(Errno) {
            let directory = try FileDescriptor.open(paths.directory, [.readOnly, .directory])
            try directory.waitForLock(shared: false)
            // Whoever held it may have removed it.
            guard let found = try? fileStatus(at: paths.directory), found.identity == (try directory.status().identity) else {
                throw .noEntry
            }
            return Hold(directory: directory, paths: paths)
        } catch {
            if error == .noEntry { throw .notFound(ContainerIdentifier.short(identifier)) }
            throw .file(paths.directory, error)
        }
    }

    /// As `hold`; nil when somebody else holds the container, or it is gone.
    func tryHold(_ identifier: String) throws(ContainerError) -> Hold? {
        guard ContainerIdentifier.isWhole(identifier) else { return nil }
        let paths = paths(identifier)
        do throws(Errno) {
            let directory = try FileDescriptor.open(paths.directory, [.readOnly, .directory])
            guard try directory.tryLock(shared: false), let found = try? fileStatus(at: paths.directory),
                  found.identity == (try directory.status().identity) else { return nil }
            return Hold(directory: directory, paths: paths)
        } catch {
            if error == .noEntry { return nil }
            throw .file(paths.directory, error)
        }
    }

    /// The monitor's lock; nil when a monitor has it.
    func monitorLock(_ hold: borrowing Hold) throws(ContainerError) -> FileDescriptor? {
        let path = hold.paths.lock
        return try onFile(path) { () throws(Errno) -> FileDescriptor? in
            let file = try FileDescriptor.open(path, [.readWrite, .create])
            if try file.tryLock(shared: false) { return file }
            return nil
        }
    }

    /// Waits until the container has no monitor. For whoever holds the container and knows that the monitor is about to end.
    func waitForMonitor(_ hold: borrowing Hold) throws(ContainerError) {
        let path = hold.paths.lock
        try onFile(path) { () throws(Errno) in
            let file = try FileDescriptor.open(path, [.readWrite, .create])
            try file.waitForLock(shared: false)
            try file.unlock()
        }
    }

    // MARK: Status

    /// What the monitor has written last; nil when the container has never been started.
    func writtenStatus(_ identifier: String) -> ContainerStatus? {
        contents(ofSmallFile: paths(identifier).status).flatMap { try? ContainerStatus(decoding: $0) }
    }

    /// As the container is now. The status of one whose monitor was killed is set right.
    func status(_ identifier: String) throws(ContainerError) -> ContainerStatus? {
        guard let status = writtenStatus(identifier) else { return nil }
        if status.state == .exited { return status }
        let hold = try hold(identifier)
        return try settledStatus(identifier, hold)
    }

    /// As `status`, for whoever holds the container.
    func settledStatus(_ identifier: String, _ hold: borrowing Hold) throws(ContainerError) -> ContainerStatus? {
        guard let status = writtenStatus(identifier) else { return nil }
        guard status.state != .exited, let lock = try monitorLock(hold) else { return status }
        // Read again: it may have ended in order between the two.
        let settled = try settledStatusOfStopped(identifier, hold)
        try? lock.unlock()
        return settled
    }

    /// For whoever has the monitor's lock: there is no monitor.
    func settledStatusOfStopped(_ identifier: String, _ hold: borrowing Hold) throws(ContainerError) -> ContainerStatus? {
        guard var status = writtenStatus(identifier), status.state != .exited else { return writtenStatus(identifier) }
        // From the start of its process to the end, of which the monitor has told then.
        let hadToEnd = status.startTime != 0 && status.endTime == 0
        status.state = .exited
        status.exitStatus = 125
        status.endTime = Clock.realTimeNanoseconds()
        status.failure = "its monitor (process \(status.processIdentifier)) was killed, or the host was restarted"
        try write(status, hold)
        removeRunDirectory(hold.paths)
        // What the monitor would have said.
        if hadToEnd, let record = try? database.record(identifier) {
            note(.die, record, attributes: ["exitCode": "\(status.exitStatus)", "oom": "false", "error": status.failure])
        }
        return status
    }

    /// Replaces the status as a whole.
    func write(_ status: ContainerStatus, _ hold: borrowing Hold) throws(ContainerError) {
        let (path, bytes) = (hold.paths.status, status.encoded)
        let temporary = path + ".new"
        try onFile(path) { () throws(Errno) in
            let file = try FileDescriptor.open(temporary, [.writeOnly, .create, .truncate])
            try writeAll(bytes, to: file)
            try renameFile(temporary, to: path)
        }
    }

    private func writeAll(_ bytes: [UInt8], to file: borrowing FileDescriptor) throws(Errno) {
        guard bytes.withUnsafeBytes({ writeWhatFits(file.raw, $0) }) == bytes.count else { throw .current }
    }

    // MARK: Removal

    /// Takes a container out of the store. The caller has the monitor's lock.
    ///
    /// - Parameter withVolumes: with its anonymous volumes.
    func remove(_ identifier: String, _ hold: borrowing Hold, withVolumes: Bool) throws(ContainerError) {
        removeRunDirectory(hold.paths)
        // Before the row: what is left of a container that has none goes with the volumes in its list.
        if !withVolumes { try forgetVolumes(hold.paths) }
        try networks.release(identifier, isGone: true) { try? database.record($0) }
        try database.delete(identifier)
        try removeListedVolumes(hold.paths)
        let path = hold.paths.directory
        try onFile(path) { () throws(Errno) in try removeTree(path) }
    }

    func removeRunDirectory(_ paths: ContainerPaths) {
        // What is left there is removed by the next who looks; the container is none the worse for it.
        try? removeTree(paths.runDirectory)
    }
}
