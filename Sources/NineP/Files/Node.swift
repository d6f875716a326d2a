import LinuxSystem

/// A file of a share, of any type, that a fid names: held open as a path (O_PATH), or for reading and writing if the fid has just
/// made it. A descriptor follows the file through renames and keeps it when its last name goes.
///
/// Names would have to be resolved again for every request, and would then mean another file whenever somebody renamed
/// one meanwhile. A descriptor cannot be led astray. It costs one descriptor for each place that a client names; fids
/// made from each other share it.
final class Node: Sendable {
    let export: Export
    let held: HeldFile
    /// What the host says the file is; with mapped ownership a client may see another type.
    let hostType: FileType
    let device: UInt64
    let inode: UInt64
    /// As it was when the file was found; with mapped ownership a client may see another.
    let qidWhenFound: Qid

    /// Throws `.outOfRange` when the file cannot be given a number.
    init(
        export: Export, file: consuming FileDescriptor, attributes: FileAttributes, reservation: consuming Reservation
    ) throws(Errno) {
        self.export = export
        held = HeldFile(file, reservation)
        // The kernel knows no other types; one it adds would be nothing to open either.
        hostType = FileType(mode: attributes.mode) ?? .socket
        device = attributes.device
        inode = attributes.inode
        qidWhenFound = try export.host.paths.qid(attributes)
    }

    /// The same file, held open by what a fid has opened there.
    init(_ node: Node, heldBy held: HeldFile) {
        export = node.export
        self.held = held
        hostType = node.hostType
        device = node.device
        inode = node.inode
        qidWhenFound = node.qidWhenFound
    }

    var file: FileDescriptor {
        _read { yield held.file }
    }

    var isRoot: Bool { device == export.rootDevice && inode == export.rootInode }

    /// The file of that name in this directory: the one step of every walk.
    func child(_ name: FileName) throws(Errno) -> Node {
        let reservation = try export.host.reserveDescriptor()
        let file = try file.open(name, [.pathOnly, .noFollow])
        let attributes = try file.attributes()
        // A mount below the share may be anything, and /proc/self/mem is a regular file.
        if attributes.device != device, try file.fileSystemStatus().type == FileSystemStatus.proc {
            throw .accessDenied
        }
        return try Node(export: export, file: file, attributes: attributes, reservation: reservation)
    }

    /// A place for a file that has just been made and is not to stay open.
    func sibling(of opened: borrowing FileDescriptor) throws(Errno) -> Node {
        let reservation = try export.host.reserveDescriptor()
        let file = try export.host.descriptors.reopen(opened, [.pathOnly])
        let attributes = try file.attributes()
        return try Node(export: export, file: file, attributes: attributes, reservation: reservation)
    }

    /// The same place again, which keeps no file open.
    func copy() throws(Errno) -> Node { try sibling(of: file) }

    /// Opens the file itself. Only regular files and directories of the host are ever opened: opening a FIFO would
    /// wait, a device do anything. The type is that of the very file, which no rename can change.
    func reopen(_ mode: OpenMode) throws(Errno) -> FileDescriptor {
        switch hostType {
        case .regular, .directory: break
        case .symbolicLink: throw .tooManyLinks
        default: throw .accessDenied
        }
        let opened = try export.host.descriptors.reopen(file, mode)
        let status = try opened.status()
        guard status.kind == .regular || status.kind == .directory else { throw .accessDenied }
        return opened
    }

    /// For extended attributes. Throws `.notSupported` for what is not opened.
    func reopenForAttributes() throws(Errno) -> FileDescriptor {
        guard hostType == .regular || hostType == .directory else { throw .notSupported }
        do throws(Errno) {
            return try reopen([.readOnly])
        } catch {
            // A file may be writable and not readable.
            guard error == .accessDenied, hostType == .regular else { throw error }
            return try reopen([.writeOnly])
        }
    }

    func isSameFile(as attributes: FileAttributes) -> Bool {
        attributes.device == device && attributes.inode == inode
    }
}
