import LinuxSystem

/// A volume, the containers that use it, and what it takes.
public struct VolumeSnapshot: Sendable, Equatable {
    public var volume: ContainerVolume
    /// Names of containers, running or not, the oldest first.
    public var users: [String]
}

extension ContainerRuntime {
    /// Makes a volume. Throws `nameInUse` where there is one of that name.
    ///
    /// - Parameters:
    ///   - name: as `ContainerName` allows it; nil: 64 random hexadecimal digits.
    ///   - ignoresExisting: one of that name is no error; it stays as it is.
    public func createVolume(
        _ name: String?, _ options: VolumeOptions = VolumeOptions(), labels: [String: String] = [:], ignoresExisting: Bool = false
    ) async throws(ContainerError) -> ContainerVolume {
        try await BlockingWork.run { () throws(ContainerError) in
            let chosen = if let name { name } else { try ContainerIdentifier.random() }
            let hold = try store.volumes.lock()
            do throws(ContainerError) {
                try makeVolume(chosen, options, labels: labels, isAnonymous: name == nil, hold)
            } catch {
                guard ignoresExisting, error.kind == .nameInUse else { throw error }
            }
            return try store.volumes.volume(chosen)
        }
    }

    /// All volumes, sorted by their names. Such as are damaged are left out; `onDamage` hears of each.
    public func volumes(onDamage: @escaping @Sendable (ContainerError) -> Void = { _ in }) async throws(ContainerError) -> [VolumeSnapshot] {
        try await BlockingWork.run { () throws(ContainerError) in
            let users = try users()
            var found: [VolumeSnapshot] = []
            for name in try store.volumes.names() {
                do throws(ContainerError) {
                    found.append(VolumeSnapshot(volume: try store.volumes.volume(name), users: users[name] ?? []))
                } catch {
                    // Removed since the names were read.
                    if error.kind != .notFound { onDamage(error) }
                }
            }
            return found
        }
    }

    public func inspectVolume(_ name: String) async throws(ContainerError) -> VolumeSnapshot {
        try await BlockingWork.run { () throws(ContainerError) in
            VolumeSnapshot(volume: try store.volumes.volume(name), users: try store.users(of: name).map(\.name))
        }
    }

    /// Where the files of a container's volumes are, by their names; those that are not there are left out.
    public func volumePaths(_ record: ContainerRecord) async -> [String: String] {
        let store = store
        let paths = try? await BlockingWork.run { () throws(ContainerError) in
            record.configuration.volumeMounts.compactMap(\.name).compactMap { try? store.volumes.volume($0) }.map { ($0.name, $0.path) }
        }
        return Dictionary(paths ?? []) { first, _ in first }
    }

    /// Bytes of the host's disk that a volume takes.
    public func diskUsage(_ volume: ContainerVolume) async -> UInt64 {
        let volumes = store.volumes
        return (try? await BlockingWork.run { () throws(ContainerError) in volumes.usage(volume) }) ?? 0
    }

    /// Removes a volume, also one that is damaged. Throws `wrongState` where a container uses it, running or not.
    ///
    /// - Parameter isForced: the containers that use it are ended and removed first.
    public func removeVolume(_ name: String, isForced: Bool = false) async throws(ContainerError) {
        if isForced {
            let users = try await BlockingWork.run { () throws(ContainerError) in try store.users(of: name) }
            for user in users {
                do throws(ContainerError) {
                    try await remove(user.identifier, isForced: true)
                } catch {
                    // Somebody was faster.
                    guard error.kind == .notFound else { throw error }
                }
            }
        }
        try await BlockingWork.run { () throws(ContainerError) in
            try retire(name)
            try store.volumes.sweep()
        }
    }

    private func retire(_ name: String) throws(ContainerError) {
        let hold = try store.volumes.lockAlone()
        if store.volumes.contains(name), let user = try store.users(of: name).first {
            throw .wrongState("volume \(name): container \(user.name) uses it; remove that one first, or both with --force")
        }
        try store.volumes.retire(name, hold)
    }

    /// Names of containers by the names of the volumes that they use.
    private func users() throws(ContainerError) -> [String: [String]] {
        var users: [String: [String]] = [:]
        for record in try store.database.all() {
            for name in Set(record.configuration.volumeMounts.compactMap(\.name)) { users[name, default: []].append(record.name) }
        }
        return users
    }

    // MARK: Of a container

    func makeVolume(
        _ name: String, _ options: VolumeOptions, labels: [String: String] = [:], isAnonymous: Bool, _ hold: borrowing VolumeStore.Hold
    ) throws(ContainerError) {
        try store.volumes.make(name, options, labels: labels, isAnonymous: isAnonymous, hold) { path, size throws(ContainerError) in
            try images.makeWritableDisk(at: path, size: size)
        }
    }

    /// Makes the volumes that a new container wants and that are not there; its anonymous ones get their names.
    ///
    /// - Parameter hold: until the container is in the database.
    func makeVolumes(
        of record: inout ContainerRecord, _ paths: ContainerPaths, _ hold: borrowing VolumeStore.Hold
    ) throws(ContainerError) {
        var anonymous: [String] = []
        for (index, mount) in record.configuration.mounts.enumerated() {
            guard case .volume(var mount) = mount, mount.name == nil else { continue }
            let name = try ContainerIdentifier.random()
            anonymous.append(name)
            mount.name = name
            record.configuration.mounts[index] = .volume(mount)
        }
        if !anonymous.isEmpty { try store.listVolumes(anonymous, paths) }
        var disks: Set<String> = []
        for mount in record.configuration.volumeMounts {
            guard let name = mount.name else { continue }
            if !store.volumes.contains(name) { try makeVolume(mount, name, hold) }
            let volume = try store.volumes.volume(name)
            if let wanted = mount.creation?.kind, wanted != volume.kind {
                throw .invalid("volume \(name): it is there, of type \(volume.kind.rawValue), and type=\(wanted.rawValue) is asked for; leave that out, or choose another name")
            }
            guard volume.kind == .directory || disks.insert(name).inserted else {
                throw .invalid("volume \(name): given twice, expected one place for a volume of type ext4; one of type 9p may have several")
            }
        }
        guard disks.count <= Self.maximumDisks else {
            throw .invalid("\(disks.count) volumes of type ext4, expected at most \(Self.maximumDisks) for one container; those of type 9p are not limited so")
        }
    }

    private func makeVolume(_ mount: VolumeMount, _ name: String, _ hold: borrowing VolumeStore.Hold) throws(ContainerError) {
        do throws(ContainerError) {
            try makeVolume(name, mount.creation ?? VolumeOptions(), isAnonymous: mount.isAnonymous, hold)
        } catch {
            // Somebody else has made it meanwhile.
            guard error.kind == .nameInUse else { throw error }
        }
    }

    /// A machine has 19 devices, of which a container's needs 8 for other things.
    static let maximumDisks = 11

    /// What the container's machine gets of its volumes. Throws where another container has one of its disks.
    func attachVolumes(of record: ContainerRecord) throws(ContainerError) -> [Int: VolumeAttachment] {
        let attachments = try store.volumes.attachments(of: record.configuration.mounts, container: record.name) { name throws(ContainerError) in
            try store.holders(of: name, exceptBy: record.identifier).isEmpty == false
        }
        for case (let index, .volume(let mount)) in record.configuration.mounts.enumerated() {
            guard let attachment = attachments[index], attachment.kind == .disk, let name = mount.name else { continue }
            guard try !store.volumes.isFree(try store.volumes.volume(name), isReadOnly: attachment.isReadOnly) else { continue }
            throw try inUse(name, by: store.holders(of: name, exceptBy: record.identifier).first?.name, of: record.name)
        }
        return attachments
    }

    private func inUse(_ volume: String, by holder: String?, of container: String) throws(ContainerError) -> ContainerError {
        let who = holder.map { "container \($0) has it" } ?? "another program has its disk open"
        return .wrongState("container \(container): volume \(volume): \(who), and a volume of type ext4 is one container's at a time; stop that one, or use a volume of type 9p")
    }
}
