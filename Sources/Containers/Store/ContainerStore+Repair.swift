import ContainerProtocol
import LinuxSystem

extension ContainerStore {
    /// Puts right what killed processes have left: containers whose monitor is gone, temporary ones that have ended, such as were never
    /// finished, and directories of none. Called by every command; costs little where there is nothing to do. What somebody is at work
    /// on is left alone.
    func repair() throws(ContainerError) {
        let known = try database.identifiers()
        try repairRunning(known)
        try repairCares()
        try collectLeftovers(known)
        try volumes.sweep()
        try noteBoot(known)
        // Where the host refuses, the next container that needs it says so.
        try? repairNetworks(known)
    }

    private func repairNetworks(_ known: [String]) throws(ContainerError) {
        for identifier in try networks.holders() {
            if known.contains(identifier) {
                try withStopped(identifier) { _ throws(ContainerError) in try networks.releaseLost(identifier, isGone: false) }
            } else if (try? fileStatus(at: paths(identifier).directory)) == nil {
                // Not one that has been made since.
                try networks.releaseLost(identifier, isGone: true)
            }
        }
        try networks.complete { try? database.record($0) }
    }

    /// A run directory is there for as long as its container runs.
    private func repairRunning(_ known: [String]) throws(ContainerError) {
        guard let entries = try? names(inDirectory: runtime), !entries.isEmpty else { return }
        for entry in entries {
            // Not of this store otherwise.
            guard let identifier = known.first(where: { $0.hasPrefix(entry) }), entry.utf8.count == ContainerIdentifier.shortLength else {
                continue
            }
            try withStopped(identifier) { hold throws(ContainerError) in
                _ = try settledStatusOfStopped(identifier, hold)
                removeRunDirectory(hold.paths)
            }
        }
    }

    private func repairCares() throws(ContainerError) {
        for (identifier, care) in try database.cares() {
            let status = writtenStatus(identifier)
            if care.contains(.beingRun), status != nil { try database.forgetRun(identifier) }
            guard care.contains(.temporary) || status == nil else { continue }
            try withStopped(identifier) { hold throws(ContainerError) in
                let status = try settledStatusOfStopped(identifier, hold)
                guard status == nil ? care.contains(.beingRun) : care.contains(.temporary) else { return }
                try remove(identifier, hold, withVolumes: true)
            }
        }
    }

    /// Directories without a container, and containers without a directory. What is not named as a container is, is not ours.
    private func collectLeftovers(_ known: [String]) throws(ContainerError) {
        let folder = folder
        guard isFolderKnown else { return }
        let entries = try onFile(folder) { () throws(Errno) in try names(inDirectory: folder) }
        let expected = Set(known)
        let directories = Set(entries.filter { ContainerIdentifier.isWhole($0) })
        guard directories != expected else { return }
        // Whoever makes a container has its directory before its row. They hold the lock meanwhile; then the next command looks again.
        guard let file = try tryLockCreation() else { return }
        let now = Set(try database.identifiers())
        let found = Set(try onFile(folder) { () throws(Errno) in try names(inDirectory: folder) })
        for name in found.subtracting(now) where ContainerIdentifier.isWhole(name) {
            let path = folder + "/" + name
            // A file, or a link, is none of ours.
            guard let directory = try? FileDescriptor.open(path, [.readOnly, .directory, .noFollow]) else { continue }
            // Somebody removes it already.
            guard try onFile(path, { () throws(Errno) in try directory.tryLock(shared: false) }) else { continue }
            try removeListedVolumes(paths(name))
            try onFile(path) { () throws(Errno) in try removeTree(path) }
        }
        for identifier in now.subtracting(found) { try database.delete(identifier) }
        try? file.unlock()
    }

    /// After a boot of the host nothing runs, and nothing in /run tells what ran before.
    private func noteBoot(_ known: [String]) throws(ContainerError) {
        let boot = String(decoding: contents(ofSmallFile: "/proc/sys/kernel/random/boot_id", limit: 64) ?? [], as: UTF8.self)
            .filter { $0 != "\n" }
        let before = try database.fact("boot")
        guard before != boot else { return }
        if before != nil {
            for identifier in known {
                try withStopped(identifier) { hold throws(ContainerError) in _ = try settledStatusOfStopped(identifier, hold) }
            }
            try repairCares()
        }
        try database.setFact("boot", boot)
    }

    /// Calls `body` if the container has no monitor and nobody is at work on it; who holds it knows that nothing changes meanwhile.
    private func withStopped(
        _ identifier: String, _ body: (borrowing Hold) throws(ContainerError) -> Void
    ) throws(ContainerError) {
        guard let hold = try tryHold(identifier), let lock = try monitorLock(hold) else { return }
        try body(hold)
        try? lock.unlock()
    }
}
