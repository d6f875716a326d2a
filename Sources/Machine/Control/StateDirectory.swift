import LinuxSystem
import MachineProtocol

/// The directory of one machine's sockets, held for as long as the machine lives: no second machine uses it.
final class StateDirectory {
    let path: String
    /// Locked; the lock ends with the process, however that ends.
    private let directory: FileDescriptor
    /// Whether it is svmm's to remove.
    private let isOwn: Bool

    /// Makes the directory, and its parent if that is missing, with mode 0700; takes one that is there if it belongs to this
    /// user, nobody else can write to it and no machine uses it.
    init(_ path: String) throws(MachineError) {
        self.path = path
        do throws(Errno) {
            isOwn = try Self.make(path)
            directory = try .open(path, [.readOnly, .directory, .noFollow])
        } catch {
            let reason = error == .notDirectory ? "expected a directory, found something else" : "\(error)"
            throw MachineError("--state \(path): \(reason)")
        }
        try Self.checkOwner(directory, path)
        guard (try? directory.tryLockWhole()) == true else {
            throw MachineError("--state \(path): used by another virtual machine; expected a name or directory of its own")
        }
        // Between opening and locking, the machine that was here may have removed it at its end.
        guard let found = try? fileStatus(at: path, followingLinks: false), let held = try? directory.status(),
              found.identity == held.identity else {
            throw MachineError("--state \(path): removed by the virtual machine that used it; try again")
        }
    }

    /// Whether it was not there before.
    private static func make(_ path: String) throws(Errno) -> Bool {
        do throws(Errno) {
            try makeDirectory(path, permissions: 0o700)
            return true
        } catch {
            if error == .exists { return false }
            guard error == .noEntry, let end = path.lastIndex(of: "/"), end > path.startIndex else { throw error }
            try makeDirectory(String(path[..<end]), permissions: 0o700)
            try makeDirectory(path, permissions: 0o700)
            return true
        }
    }

    /// In a directory that others can write to, they could put sockets of their own in the place of the machine's.
    private static func checkOwner(_ directory: borrowing FileDescriptor, _ path: String) throws(MachineError) {
        guard let attributes = try? directory.attributes() else { throw MachineError("--state \(path): cannot be examined") }
        guard attributes.user == CurrentProcess.user else {
            throw MachineError("--state \(path): belongs to user \(attributes.user), expected a directory of user \(CurrentProcess.user)")
        }
        guard attributes.mode & 0o022 == 0 else {
            throw MachineError("--state \(path): others can write to it (mode \(String(attributes.mode & 0o7777, radix: 8))), expected 700 or 755; chmod go-w it")
        }
    }

    /// A file in it.
    func file(_ name: String) -> String { path + "/" + name }

    deinit {
        remove()
    }

    /// Removes the directory if svmm made it, now that its files are gone.
    func remove() {
        if isOwn { try? removeDirectory(path) }
    }
}
