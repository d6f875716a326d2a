import CLinux
import Glibc

/// A file descriptor that this value owns: it is closed when the value ends.
///
/// Any thread may use it; the owner must outlive every call in flight.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The descriptor's number, for calls that borrow it. Never close it.
    public let raw: Int32

    /// Takes over a descriptor that the caller owns.
    public init(owning raw: Int32) {
        self.raw = raw
    }

    deinit {
        // Linux releases the number even when close(2) fails, so the result tells the caller nothing to act on.
        _ = Glibc.close(raw)
    }

    /// Gives up ownership: the caller closes the number.
    public consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    /// A second descriptor of the same open file, close-on-exec. The corresponding C function is `fcntl` (F_DUPFD_CLOEXEC).
    public func duplicate() throws(Errno) -> FileDescriptor {
        try .duplicate(of: raw)
    }

    /// A close-on-exec duplicate of a descriptor that somebody else owns. The C function is `fcntl` (F_DUPFD_CLOEXEC).
    public static func duplicate(of raw: Int32) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try once { svmm_fcntl_value(raw, F_DUPFD_CLOEXEC, 3) })
    }

    /// Lets the descriptor survive exec. The corresponding C function is `fcntl` (F_SETFD).
    public func setInheritable() throws(Errno) {
        _ = try once { svmm_fcntl_value(raw, F_SETFD, 0) }
    }

    /// Whether reads and writes return EAGAIN instead of blocking. The C function is `fcntl` (O_NONBLOCK).
    ///
    /// The flag belongs to the open file, which other processes may share: only for descriptors made here.
    public func setNonBlocking() throws(Errno) {
        let flags = try once { svmm_fcntl_value(raw, F_GETFL, 0) }
        _ = try once { svmm_fcntl_value(raw, F_SETFL, flags | O_NONBLOCK) }
    }
}

/// How a file is opened: flags of open(2). Close-on-exec is always added.
public struct OpenMode: OptionSet, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    public static let readOnly = OpenMode([])
    public static let writeOnly = OpenMode(rawValue: O_WRONLY)
    public static let readWrite = OpenMode(rawValue: O_RDWR)
    public static let create = OpenMode(rawValue: O_CREAT)
    public static let exclusive = OpenMode(rawValue: O_EXCL)
    public static let truncate = OpenMode(rawValue: O_TRUNC)
    public static let append = OpenMode(rawValue: O_APPEND)
    public static let nonBlocking = OpenMode(rawValue: O_NONBLOCK)
    /// O_DIRECT: past the page cache, where offsets, lengths and memory are aligned.
    public static let direct = OpenMode(rawValue: Int32(SVMM_O_DIRECT.rawValue))
    public static let noControllingTerminal = OpenMode(rawValue: O_NOCTTY)
}

extension FileDescriptor {
    /// Opens a file. The corresponding C function is `open`.
    public static func open(_ path: String, _ mode: OpenMode, permissions: UInt32 = 0o600) throws(Errno) -> FileDescriptor {
        let flags = mode.rawValue | O_CLOEXEC
        return FileDescriptor(owning: try retryingInterrupts { svmm_open(path, flags, permissions) })
    }

    /// An anonymous file in memory, close-on-exec. The corresponding C function is `memfd_create`.
    public static func anonymousFile(name: String) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try once { memfd_create(name, UInt32(MFD_CLOEXEC)) })
    }

    /// A pipe: what is written to `write` is read from `read`. Close-on-exec. The C function is `pipe2`.
    public static func pipe() throws(Errno) -> Pipe {
        var ends: (Int32, Int32) = (0, 0)
        _ = try once {
            withUnsafeMutableBytes(of: &ends) { pipe2($0.assumingMemoryBound(to: Int32.self).baseAddress!, O_CLOEXEC) }
        }
        return Pipe(read: FileDescriptor(owning: ends.0), write: FileDescriptor(owning: ends.1))
    }
}

/// The two ends of a pipe.
public struct Pipe: ~Copyable, Sendable {
    public let read: FileDescriptor
    public let write: FileDescriptor
}
