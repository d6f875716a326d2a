import LinuxSystem

/// A directory of the host that clients may use, or a single regular file, without the directory that it is in.
///
/// A file is the one that the path led to when the share was added: it is held by a descriptor, so that what its name leads to later, as
/// after an editor that saves by a rename, is another file, which clients do not see.
public struct Share: Sendable {
    /// What clients call it: a file name.
    public var name: String
    /// The directory, or the file, on the host; symbolic links are followed once, when the share is added.
    public var path: String
    /// Nothing below it can be changed: every attempt is answered EROFS.
    public var isReadOnly: Bool
    public var ownership: Ownership
    public var specialFiles: SpecialFiles

    public init(
        name: String, path: String, isReadOnly: Bool = false, ownership: Ownership,
        specialFiles: SpecialFiles = .harmless
    ) {
        self.name = name
        self.path = path
        self.isReadOnly = isReadOnly
        self.ownership = ownership
        self.specialFiles = specialFiles
    }
}

/// Who owns the files of a share, as the client sees it and as the host keeps it.
public enum Ownership: Sendable, Equatable {
    /// Owners, groups and permissions are the host's. For a server that runs as root: a client that is root in its
    /// machine can make any file here set-user-ID, as root on the host can.
    case passthrough
    /// Owner, group, mode and device numbers are kept in an extended attribute, `user.svmm.status`; on the host every
    /// file belongs to the server and has mode 0600 or 0700. Links, FIFOs, sockets and device nodes are regular files
    /// there. Extended attributes of other namespaces than `user.` are kept as `user.svmm.x.…`. Works without
    /// privileges.
    case mapped
    /// Every file belongs to this user and group; where one is nil, to the user that asks, and to the group of the same
    /// number. On the host new files are the server's. Changes of owner and group are answered with success and do
    /// nothing; set-user-ID and set-group-ID are dropped from files.
    case squash(user: UInt32?, group: UInt32?)
}

/// Which files other than regular ones, directories and symbolic links may be made. With `Ownership.mapped` all may be:
/// on the host they are regular files. None is ever opened on the host.
public enum SpecialFiles: Sendable {
    case none
    /// FIFOs and sockets.
    case harmless
    /// Device nodes too.
    case all
}

/// Why a directory cannot be shared; the description names the path, or the name, in question.
public enum ShareError: Error, Equatable, Sendable, CustomStringConvertible {
    case open(path: String, Errno)
    /// The one share of a server (`NinePServer.init(share:)`) is a directory.
    case notDirectory(path: String)
    /// Neither a directory nor a regular file.
    case kind(path: String)
    /// A name that no file can have.
    case name(String)
    case nameTaken(String)
    /// Its file system keeps no extended attributes of users, which `Ownership.mapped` needs.
    case noAttributes(path: String, Errno)
    /// A view of processes, not of files: nothing of /proc is shared.
    case processes(path: String)
    /// What every share needs is not there.
    case system(Errno)

    public var description: String {
        switch self {
        case .open(let path, let error): "\(path): \(error)"
        case .notDirectory(let path): "\(path): expected a directory, found something else"
        case .kind(let path): "\(path): expected a directory or a regular file, found something else"
        case .name(let name): "'\(name)' is no name for a share, expected one that a file can have"
        case .nameTaken(let name): "there is a share named '\(name)' already"
        case .noAttributes(let path, let error):
            "\(path): its file system takes no user.* extended attributes, which mapped owners need (\(error))"
        case .processes(let path): "\(path): a proc file system, expected one of files"
        case .system(let error): "nothing can be shared: \(error)"
        }
    }
}

/// What a client may use up.
public struct NinePOptions: Sendable {
    /// Largest msize agreed to, in bytes: 4096...1048576.
    public var maximumMessageSize: UInt32 = 1 << 20
    /// Fids of one session. Linux keeps one for every name it has in its cache.
    public var maximumFids = 262_144
    /// Descriptors of all sessions of a server: one for each place that fids name, one for each open file. nil: what
    /// RLIMIT_NOFILE leaves when the server is made, less some for the rest of the process.
    public var maximumDescriptors: Int?
    /// Bytes of extended attributes that one session reads or writes at a time.
    public var maximumAttributeBytes = 4 << 20
    /// Byte ranges that one session holds locked.
    public var maximumLocks = 16_384
    /// Workers of a session that may wait for a lock at the same time, each for half a second at the most: fewer than it has. Linux
    /// gives a lock up for its own processes before it tells the server, so that the next one's request often comes too early.
    public var lockWaiters = 0

    public init() {}
}
