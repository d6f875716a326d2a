import LinuxSystem
import Synchronization

/// A share that is open: the directory and the rules for what is below it, or one file.
final class Export: Sendable {
    let name: FileName
    let isReadOnly: Bool
    let ownership: Ownership
    let specialFiles: SpecialFiles
    let host: Host
    let rootDevice: UInt64
    let rootInode: UInt64
    /// A directory or a regular file. A file has no names below it: whatever is asked for there is answered ENOTDIR.
    let rootType: FileType
    /// nil when the share has been removed: nothing keeps its file system busy then.
    private let root: Mutex<Root?>
    private let removed = Atomic<Bool>(false)
    /// Changes of `user.svmm.status` read, change and write it: one at a time.
    let statusChanges = Mutex<Void>(())

    init(_ share: Share, host: Host) throws(ShareError) {
        do throws(Errno) { name = try FileName(share.name.utf8) } catch { throw .name(share.name) }
        let root: Root
        do throws(Errno) {
            // The path is the user's own word: symbolic links in it are followed.
            root = Root(try .open(share.path, [.pathOnly]))
        } catch {
            throw .open(path: share.path, error)
        }
        let attributes = try Self.check(root, share, host)
        isReadOnly = share.isReadOnly
        ownership = share.ownership
        specialFiles = share.specialFiles
        self.host = host
        rootDevice = attributes.device
        rootInode = attributes.inode
        rootType = FileType(mode: attributes.mode) ?? .directory
        self.root = Mutex(root)
    }

    /// Finds out at start what would fail at every request.
    private static func check(_ root: Root, _ share: Share, _ host: Host) throws(ShareError) -> FileAttributes {
        do throws(Errno) {
            let attributes = try root.file.attributes()
            let type = FileType(mode: attributes.mode)
            guard type == .directory || type == .regular else { throw .notDirectory }
            guard try root.file.fileSystemStatus().type != FileSystemStatus.proc else { throw .protocolError }
            let opened = try host.descriptors.reopen(root.file, type == .directory ? [.readOnly, .directory] : .readOnly)
            if share.ownership == .mapped, !share.isReadOnly { try MappedStatus.probe(opened) }
            return attributes
        } catch {
            switch error {
            case .notDirectory: throw .kind(path: share.path)
            case .protocolError: throw .processes(path: share.path)
            case .notSupported: throw .noAttributes(path: share.path, error)
            default: throw .open(path: share.path, error)
            }
        }
    }

    /// The place that the share's root is. Throws `.stale` when the share has been removed.
    func rootNode() throws(Errno) -> Node {
        let reservation = try host.reserveDescriptor()
        guard let root = root.withLock({ $0 }) else { throw .stale }
        let file = try root.file.duplicate()
        let attributes = try file.attributes()
        return try Node(export: self, file: file, attributes: attributes, reservation: reservation)
    }

    /// Where the share's root is now: an absolute path. Throws `.stale` when the share has been removed.
    func rootPath() throws(Errno) -> [UInt8] {
        guard let root = root.withLock({ $0 }) else { throw .stale }
        return try host.names.path(of: root.file)
    }

    var isRemoved: Bool { removed.load(ordering: .acquiring) }

    func remove() {
        removed.store(true, ordering: .releasing)
        root.withLock { $0 = nil }
    }

    /// Throws `.stale` when the share has been removed.
    func checkPresent() throws(Errno) {
        if isRemoved { throw .stale }
    }

    /// Throws `.readOnlyFileSystem` when nothing below the share may be changed.
    func checkWritable() throws(Errno) {
        if isReadOnly { throw .readOnlyFileSystem }
    }

    private final class Root: Sendable {
        let file: FileDescriptor
        init(_ file: consuming FileDescriptor) { self.file = file }
    }
}
