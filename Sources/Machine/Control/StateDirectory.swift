import LinuxSystem
import MachineProtocol

/// The directory of one machine's sockets, held for as long as the machine lives: no second machine uses it.
final class StateDirectory {
    let path: String
    /// Locked; the lock ends with the process, however that ends.
    private let directory: FileDescriptor
    /// Whether it is svmm's to remove: svmm has made it, now or for a machine that was killed.
    private let isOwn: Bool
    /// Whether this machine is the one that uses it.
    private var isHeld = false

    /// Makes the directory, and its parent if that is missing, with mode 0700; takes one that is there if it belongs to this
    /// user, nobody else can write to it or move it, and no machine uses it.
    init(_ path: String) throws(MachineError) {
        self.path = path
        let isNew: Bool
        do throws(Errno) {
            isNew = try Self.make(path)
            directory = try .open(path, [.readOnly, .directory, .noFollow])
        } catch {
            let reason = error == .notDirectory ? "expected a directory, found something else" : "\(error)"
            throw MachineError("--state \(path): \(reason)")
        }
        try Self.checkParent(path)
        try Self.checkOwner(directory, path)
        // What a machine that was killed has left is svmm's own.
        let leftover = try? fileStatus(at: path + "/" + StateFiles.control, followingLinks: false)
        isOwn = isNew || leftover?.kind == .socket
        let isLocked: Bool
        do throws(Errno) { isLocked = try directory.tryLockWhole() } catch { throw MachineError("--state \(path): \(error)") }
        guard isLocked else {
            throw MachineError("--state \(path): used by another virtual machine; expected a name or directory of its own")
        }
        // Between opening and locking, the machine that was here may have removed it at its end.
        guard let found = try? fileStatus(at: path, followingLinks: false), let held = try? directory.status(),
              found.identity == held.identity else {
            throw MachineError("--state \(path): removed by the virtual machine that used it; try again")
        }
        isHeld = true
    }

    /// Whether it was not there before. Another machine may make the same directories at the same time.
    private static func make(_ path: String) throws(Errno) -> Bool {
        do throws(Errno) {
            return try makeUnlessThere(path)
        } catch {
            guard error == .noEntry, let parent = parent(of: path) else { throw error }
            _ = try makeUnlessThere(parent)
            return try makeUnlessThere(path)
        }
    }

    private static func makeUnlessThere(_ path: String) throws(Errno) -> Bool {
        do throws(Errno) {
            try makeDirectory(path, permissions: 0o700)
            return true
        } catch {
            guard error == .exists else { throw error }
            return false
        }
    }

    private static func parent(of path: String) -> String? {
        path.lastIndex(of: "/").flatMap { $0 > path.startIndex ? String(path[..<$0]) : nil }
    }

    /// In a directory that others can write to, they could put another in the place of the machine's, and answer for it.
    private static func checkParent(_ path: String) throws(MachineError) {
        guard let parent = parent(of: path) else { return }
        guard let opened = try? FileDescriptor.open(parent, [.readOnly, .directory]),
              let attributes = try? opened.attributes() else { throw MachineError("--state \(path): \(parent) cannot be examined") }
        let isTrusted = attributes.user == CurrentProcess.user || attributes.user == 0
        // In a directory with the sticky bit, such as /tmp, others cannot move what is not theirs.
        guard isTrusted, attributes.mode & 0o022 == 0 || attributes.mode & 0o1000 != 0 else {
            throw MachineError("--state \(path): others can write to \(parent) (user \(attributes.user), mode \(String(attributes.mode & 0o7777, radix: 8))), expected a directory of user \(CurrentProcess.user) or root that they cannot change")
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
        if isOwn, isHeld { try? removeDirectory(path) }
    }
}
