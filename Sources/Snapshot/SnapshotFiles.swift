import LinuxSystem

/// The names in a snapshot's directory, and how its files are opened.
enum SnapshotFiles {
    static let state = "state"
    static let memory = "memory"

    /// An extended attribute of `memory` with the snapshot's identifier: it tells a file that was put in another's place. It is
    /// a help and no condition: not every file system keeps it, nor every copy.
    private static let attribute = "user.svmm.snapshot"

    /// A name that is known to be one.
    static func name(_ text: String, path: String) throws(SnapshotError) -> FileName {
        try naming(path) { () throws(Errno) in try FileName(text.utf8) }
    }

    /// Opens a regular file of the directory, whatever else has its name.
    ///
    /// - Parameter path: the file's path, for messages.
    static func open(
        _ name: String, in directory: borrowing FileDescriptor, path: String
    ) throws(SnapshotError) -> FileDescriptor {
        let file = try opened(try self.name(name, path: path), in: directory, path: path)
        let kind = try naming(path) { () throws(Errno) in try file.status().kind }
        guard kind == .regular else { throw .kind(path: path, found: describe(kind), expected: "a regular file") }
        return file
    }

    private static func opened(
        _ name: FileName, in directory: borrowing FileDescriptor, path: String
    ) throws(SnapshotError) -> FileDescriptor {
        do throws(Errno) {
            // Without waiting, as a FIFO would have it.
            return try directory.open(name, [.readOnly, .nonBlocking, .noFollow])
        } catch {
            switch error {
            case .noEntry: throw .missing(path: path)
            case .tooManyLinks: throw .kind(path: path, found: "a symbolic link", expected: "a regular file")
            default: throw .file(path: path, error)
            }
        }
    }

    private static func describe(_ kind: FileStatus.Kind) -> String {
        switch kind {
        case .regular: "a regular file"
        case .directory: "a directory"
        case .blockDevice: "a block device"
        case .characterDevice: "a character device"
        case .fifo: "a FIFO"
        case .socket: "a socket"
        case .other: "a special file"
        }
    }

    static func mark(_ file: borrowing FileDescriptor, _ identifier: SnapshotIdentifier) {
        // A help only, see above.
        guard let name = try? AttributeName(attribute.utf8) else { return }
        try? file.setAttribute(name, identifier.bytes, .none)
    }

    /// Whose memory the file is; nil when nothing says so.
    static func mark(of file: borrowing FileDescriptor) -> SnapshotIdentifier? {
        guard let name = try? AttributeName(attribute.utf8) else { return nil }
        var bytes = [UInt8](repeating: 0, count: SnapshotIdentifier.count)
        let raw = file.raw
        let count = bytes.withUnsafeMutableBytes { try? attributeValue(of: raw, name, into: $0) }
        return count == bytes.count ? SnapshotIdentifier(bytes) : nil
    }
}
