import LinuxSystem

/// A container's volumes, as the store has them. Which anonymous ones go with a container stands in a file of its directory, from before they
/// are made until the directory is removed: however far somebody came who was killed, the next command finds them.
extension ContainerStore {
    /// Writes down which volumes go with the container.
    func listVolumes(_ names: [String], _ paths: ContainerPaths) throws(ContainerError) {
        let path = paths.volumes
        try onFile(path) { () throws(Errno) in
            try replaceFile(path, with: Array(names.map { $0 + "\n" }.joined().utf8), permissions: 0o600)
        }
    }

    /// They stay when the container is removed.
    func forgetVolumes(_ paths: ContainerPaths) throws(ContainerError) {
        let path = paths.volumes
        try onFile(path) { () throws(Errno) in try removeTree(path) }
    }

    /// Removes the volumes that go with a container that is not in the database any more, or not yet. Those that others use stay, and such as
    /// have been given a user's name, which the list never has.
    func removeListedVolumes(_ paths: ContainerPaths) throws(ContainerError) {
        guard let bytes = contents(ofSmallFile: paths.volumes), !bytes.isEmpty else { return }
        let names = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        try removeUnused(names.filter { ContainerIdentifier.isWhole($0) })
    }

    /// Removes volumes that no container uses; those that are not there are none.
    private func removeUnused(_ names: [String]) throws(ContainerError) {
        guard names.contains(where: volumes.contains) else { return }
        try retireUnused(names)
        try volumes.sweep()
    }

    private func retireUnused(_ names: [String]) throws(ContainerError) {
        let lock = try volumes.lockAlone()
        let used = Set(try database.all().flatMap { $0.configuration.volumeMounts.compactMap(\.name) })
        for name in names where !used.contains(name) && volumes.contains(name) { try volumes.retire(name, lock) }
    }

    /// The containers that use a volume, the oldest first.
    func users(of volume: String) throws(ContainerError) -> [ContainerRecord] {
        try database.all().filter { $0.configuration.uses(volume: volume) }
    }

    /// The containers that use a volume and have a monitor.
    func holders(of volume: String, exceptBy identifier: String = "") throws(ContainerError) -> [ContainerRecord] {
        try users(of: volume).filter { record in
            guard record.identifier != identifier, let status = writtenStatus(record.identifier) else { return false }
            return status.state != .exited
        }
    }
}
