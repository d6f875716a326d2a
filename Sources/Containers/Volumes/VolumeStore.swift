import FoundationEssentials
import LinuxSystem

/// The volumes of a store: a directory for each, ROOT/volumes/NAME, with `VolumeFiles` in it. Any thread, any number of processes.
///
/// A volume is made under another name and renamed when it is whole, and renamed before it is removed: whoever is killed leaves a whole
/// volume or something to sweep away. The file `.lock` is locked (flock), shared, by whoever makes a volume or a container with one, alone by
/// whoever removes one; it comes after the store's `creation` lock, and before a container's own.
struct VolumeStore: Sendable {
    /// ROOT/volumes.
    let folder: String

    /// What is being made, and what is being removed.
    private static let newPrefix = ".new-"
    private static let oldPrefix = ".old-"
    /// Bytes of `volume.json`.
    private static let maximumRecord = 1 << 20

    /// - Parameter store: the containers' store.
    init(store: String) {
        folder = store + "/volumes"
    }

    func directory(_ name: String) -> String { "\(folder)/\(name)" }

    // MARK: Locks

    /// Held by whoever makes or removes volumes.
    struct Hold: ~Copyable {
        fileprivate let file: FileDescriptor

        // Closing the file is not enough: see `ContainerStore.Hold`.
        deinit { try? file.unlock() }
    }

    /// For whoever makes a volume, or a container that uses one.
    func lock() throws(ContainerError) -> Hold { try lock(shared: true) }

    /// For whoever removes one: nobody makes a container meanwhile that would use it.
    func lockAlone() throws(ContainerError) -> Hold { try lock(shared: false) }

    private func lock(shared: Bool) throws(ContainerError) -> Hold {
        let path = folder + "/.lock"
        return try onFile(path) { () throws(Errno) in
            try makeDirectories(folder, permissions: 0o700)
            let file = try FileDescriptor.open(path, [.readWrite, .create])
            try file.waitForLock(shared: shared)
            return Hold(file: file)
        }
    }

    // MARK: Looking

    /// Names of all volumes, sorted.
    func names() throws(ContainerError) -> [String] {
        do throws(Errno) {
            return try LinuxSystem.names(inDirectory: folder).filter { !$0.hasPrefix(".") }.sorted()
        } catch {
            if error == .noEntry { return [] }
            throw .file(folder, error)
        }
    }

    /// Whether something of the store has the name, whole or damaged.
    func contains(_ name: String) -> Bool {
        (try? ContainerName.check(name)) != nil && (try? fileStatus(at: directory(name), followingLinks: false))?.kind == .directory
    }

    /// Throws `notFound` where there is none.
    func volume(_ name: String) throws(ContainerError) -> ContainerVolume {
        guard contains(name) else { throw Self.notFound(name) }
        let directory = directory(name)
        let path = "\(directory)/\(VolumeFiles.record)"
        guard let bytes = contents(ofSmallFile: path, limit: Self.maximumRecord), let record = try? JSONDecoder().decode(VolumeRecord.self, from: Data(bytes)) else {
            throw .failed("\(path): damaged, expected what svmm has written; bring it back, or svmm volume rm \(name)")
        }
        guard record.version <= VolumeRecord.version else {
            throw .failed("\(path): of a newer svmm (version \(record.version), expected \(VolumeRecord.version)); use that one")
        }
        let file = "\(directory)/\(record.kind == .disk ? VolumeFiles.disk : VolumeFiles.data)"
        let status = try onFile(file) { () throws(Errno) in try fileStatus(at: file, followingLinks: false) }
        guard status.kind == (record.kind == .disk ? .regular : .directory) else {
            throw .failed("\(file): expected a \(record.kind == .disk ? "regular file" : "directory"), found something else")
        }
        return ContainerVolume(name: name, kind: record.kind, created: record.created, labels: record.labels, isAnonymous: record.isAnonymous,
                               path: file, size: record.kind == .disk ? status.size : nil)
    }

    static func notFound(_ name: String) -> ContainerError {
        ContainerError(.notFound, "\(name): no such volume, expected one that svmm volume ls lists")
    }

    // MARK: Making

    /// Makes a volume. Throws `nameInUse` where there is one of that name.
    ///
    /// - Parameters:
    ///   - makeDisk: makes an empty file system of so many bytes in a file that is not there yet.
    func make(
        _ name: String, _ options: VolumeOptions, labels: [String: String] = [:], isAnonymous: Bool = false, _ hold: borrowing Hold,
        makeDisk: (String, UInt64) throws(ContainerError) -> Void
    ) throws(ContainerError) {
        try Self.check(name, options)
        let temporary = "\(Self.newPrefix)\(try ContainerIdentifier.random())"
        let path = directory(temporary)
        do throws(ContainerError) {
            try onFile(path) { () throws(Errno) in try makeDirectory(path, permissions: 0o700) }
            switch options.kind {
            case .disk:
                let disk = "\(path)/\(VolumeFiles.disk)"
                try makeDisk(disk, options.size ?? ContainerVolume.defaultSize)
                try onFile(disk) { () throws(Errno) in try FileDescriptor.open(disk, .readWrite).synchronizeData() }
            case .directory:
                let data = "\(path)/\(VolumeFiles.data)"
                try onFile(data) { () throws(Errno) in
                    try makeDirectory(data, permissions: 0o755)
                    // Whatever this process's mask is: users of the container's are not this one.
                    try FileDescriptor.open(data, [.readOnly, .directory]).setPermissions(0o755)
                }
            }
            try write(VolumeRecord(kind: options.kind, created: Clock.realTimeNanoseconds(), labels: labels, isAnonymous: isAnonymous), to: path)
            try rename(temporary, to: name)
        } catch {
            try? removeTree(path)
            throw error
        }
    }

    private static func check(_ name: String, _ options: VolumeOptions) throws(ContainerError) {
        try ContainerName.check(name)
        guard let size = options.size else { return }
        guard options.kind == .disk else {
            throw .invalid("volume \(name): size with type=9p, expected type=ext4: a directory is as large as the host's file system allows")
        }
        try check(size: size, of: name)
    }

    static func check(size: UInt64, of name: String) throws(ContainerError) {
        guard ContainerVolume.sizes.contains(size), size % 4096 == 0 else {
            throw .invalid("volume \(name): size \(size), expected a multiple of 4096 from 16 MiB to 16 TiB")
        }
    }

    private func write(_ record: VolumeRecord, to directory: String) throws(ContainerError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let path = "\(directory)/\(VolumeFiles.record)"
        let bytes: [UInt8]
        do { bytes = Array(try encoder.encode(record)) } catch { throw .failed("\(path): \(error)") }
        guard bytes.count < Self.maximumRecord else {
            throw .invalid("labels of \(bytes.count) bytes in all, expected fewer than \(Self.maximumRecord)")
        }
        try onFile(path) { () throws(Errno) in
            try replaceFile(path, with: bytes, permissions: 0o600)
            try synchronizeDirectory(directory)
        }
    }

    private func rename(_ old: String, to new: String) throws(ContainerError) {
        do throws(Errno) {
            let directory = try FileDescriptor.open(folder, [.readOnly, .directory])
            try directory.renameWithoutReplacing(FileName(old.utf8), as: FileName(new.utf8))
            try directory.synchronize()
        } catch {
            guard error != .exists else {
                throw ContainerError(.nameInUse, "volume '\(new)': there is one of that name; remove it, or choose another name")
            }
            throw .file(directory(new), error)
        }
    }

    // MARK: Removing

    /// Takes a volume out of the store; whoever uses it has been looked for. What it leaves is removed by `sweep`, without the lock.
    func retire(_ name: String, _ hold: borrowing Hold) throws(ContainerError) {
        guard contains(name) else { throw Self.notFound(name) }
        try rename(name, to: "\(Self.oldPrefix)\(try ContainerIdentifier.random())")
    }

    /// Removes what killed processes have left of volumes that were made or removed, unless somebody is at work. Costs a listing.
    func sweep() throws(ContainerError) {
        let left = ((try? LinuxSystem.names(inDirectory: folder)) ?? []).filter { $0.hasPrefix(Self.newPrefix) || $0.hasPrefix(Self.oldPrefix) }
        guard !left.isEmpty else { return }
        let path = folder + "/.lock"
        // Whoever makes a volume holds the lock meanwhile; then the next command looks again.
        let isAlone = try onFile(path) { () throws(Errno) in
            let file = try FileDescriptor.open(path, [.readWrite, .create])
            guard try file.tryLock(shared: false) else { return false }
            try file.unlock()
            return true
        }
        for name in left where isAlone || name.hasPrefix(Self.oldPrefix) { try removeFiles(directory(name)) }
    }

    private func removeFiles(_ path: String) throws(ContainerError) {
        do throws(Errno) {
            try removeTree(path)
        } catch {
            // Deeper than svmm's own directories are: containers nest theirs as they like, and rm(1) follows.
            guard error == .nameTooLong, let program = findProgram("rm") else { throw .file(path, error) }
            let status = try onFile(program) { () throws(Errno) in
                let nothing = try FileDescriptor.open("/dev/null", .readWrite)
                return waitForProcess(try CurrentProcess.spawnDetached(
                    program, arguments: ["rm", "-rf", "--", path], descriptors: [nothing.raw, nothing.raw, nothing.raw]))
            }
            guard status == 0 else { throw .failed("\(path): rm -rf ended with status \(status); remove it by hand") }
        }
    }
}
