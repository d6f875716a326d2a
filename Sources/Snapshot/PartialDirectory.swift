import LinuxSystem

/// The directory of a snapshot that is being made: under a hidden name beside its own until it is whole. One thread uses it.
///
/// Whoever makes it holds its lock (flock(2)), which ends with the process however that ends: so who finds one without a lock
/// knows that nobody works on it.
final class PartialDirectory {
    private enum State {
        /// Under this name.
        case hidden(FileName)
        case named, removed
    }

    let descriptor: FileDescriptor
    /// What it will be called: for messages.
    let path: String
    private let parent: FileDescriptor
    private let name: FileName
    private var state: State

    /// Makes it, and removes what saves of the same name have left that came to a sudden end.
    init(becoming path: String) throws(SnapshotError) {
        let split = try Self.split(path)
        name = split.name
        self.path = path
        do throws(Errno) {
            parent = try .open(split.parent, [.readOnly, .directory])
        } catch {
            throw .file(path: split.parent, error)
        }
        do throws(Errno) {
            guard try !parent.contains(name) else { throw .exists }
            AbandonedDirectories.remove(of: name, in: parent)
            var hidden = name
            descriptor = try Self.make(in: parent, for: name, &hidden)
            state = .hidden(hidden)
        } catch {
            throw error == .exists ? .exists(path: path) : .file(path: path, error)
        }
    }

    deinit {
        discard()
    }

    /// Removes it, unless it has its name.
    func discard() {
        if case .hidden = state { remove() }
    }

    /// Makes a new file in it.
    func createFile(_ text: String) throws(SnapshotError) -> FileDescriptor {
        let path = "\(path)/\(text)"
        do throws(Errno) {
            return try descriptor.open(FileName(text.utf8), [.readWrite, .create, .exclusive], permissions: 0o600)
        } catch {
            throw .file(path: path, error)
        }
    }

    /// Gives it its name, for good: what is in it is durable already. Throws `.exists` when the name has been taken meanwhile.
    func publish() throws(SnapshotError) {
        guard case .hidden(let hidden) = state else { return }
        do throws(Errno) {
            try descriptor.synchronize()
            try parent.renameWithoutReplacing(hidden, as: name)
            state = .named
            try parent.synchronize()
        } catch {
            remove()
            throw error == .exists ? .exists(path: path) : .file(path: path, error)
        }
        descriptor.unlockWhole()
    }

    /// What cannot be removed stays, for the next save of the name to try.
    private func remove() {
        switch state {
        case .hidden(let hidden): AbandonedDirectories.remove(hidden, descriptor, in: parent)
        case .named: AbandonedDirectories.remove(name, descriptor, in: parent)
        case .removed: return
        }
        state = .removed
        descriptor.unlockWhole()
    }

    /// A directory of a new name that this process has locked.
    private static func make(
        in parent: borrowing FileDescriptor, for name: FileName, _ hidden: inout FileName
    ) throws(Errno) -> FileDescriptor {
        // Nobody else can be this unlucky: only a directory above that is gone keeps saying so.
        for _ in 0..<16 {
            hidden = try AbandonedDirectories.newName(for: name)
            do throws(Errno) {
                try parent.makeDirectory(hidden, permissions: 0o700)
                let directory = try parent.open(hidden, [.readOnly, .directory])
                // Before it had the lock, another save may have taken it for abandoned.
                if try directory.tryLockWhole(), try parent.attributes(of: hidden).inode == directory.attributes().inode {
                    return directory
                }
            } catch {
                guard error == .exists || error == .noEntry else {
                    try? parent.remove(hidden, isDirectory: true)
                    throw error
                }
            }
        }
        throw .noEntry
    }

    private static func split(_ path: String) throws(SnapshotError) -> (parent: String, name: FileName) {
        var bytes = Array(path.utf8)
        while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        let slash = bytes.lastIndex(of: UInt8(ascii: "/"))
        let parent = slash.map { $0 == 0 ? "/" : String(decoding: bytes[..<$0], as: UTF8.self) } ?? "."
        do throws(Errno) {
            return (parent, try FileName(bytes[((slash ?? -1) + 1)...]))
        } catch {
            throw error == .nameTooLong ? .file(path: path, error) : .name(path: path)
        }
    }
}
