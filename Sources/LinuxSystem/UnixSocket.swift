import CLinux
import Glibc

/// A listening unix(7) stream socket at a path, mode 0600. The name is removed when the value ends.
public struct UnixListener: ~Copyable, Sendable {
    private let descriptor: FileDescriptor
    private let path: String
    private let identity: FileStatus.Identity

    /// The longest path that fits struct sockaddr_un, in bytes.
    public static let maximumPathLength = 107

    /// Binds and listens. A socket left behind by a process that died is replaced; anything else at the path is not
    /// touched and throws `.addressInUse`. The corresponding C functions are `socket`, `bind` and `listen`.
    ///
    /// - Parameter backlog: connections that may wait to be accepted.
    public init(path: String, backlog: Int32 = 4) throws(Errno) {
        let address = try UnixAddress(path)
        let descriptor = try Self.makeSocket()
        do throws(Errno) {
            try Self.bind(descriptor, address)
        } catch {
            guard error == .addressInUse, try Self.isAbandonedSocket(path, address) else { throw error }
            try removeFile(path)
            try Self.bind(descriptor, address)
        }
        // At once: who waits for the name to appear is refused until then.
        _ = try once { listen(descriptor.raw, backlog) }
        let identity = try fileStatus(at: path, followingLinks: false).identity
        self.descriptor = descriptor
        self.path = path
        self.identity = identity
    }

    deinit {
        removeName()
    }

    /// Removes the socket's name, unless it has come to stand for something else.
    public func removeName() {
        guard let found = try? fileStatus(at: path, followingLinks: false), found.identity == identity else { return }
        try? removeFile(path)
    }

    /// The descriptor's number, for epoll. Borrowed.
    public var raw: Int32 { descriptor.raw }

    /// Waits for the next connection. The corresponding C function is `accept4`.
    public func accept() throws(Errno) -> FileDescriptor {
        let flags = Int32(SOCK_CLOEXEC.rawValue)
        return FileDescriptor(owning: try retryingInterrupts { svmm_accept(descriptor.raw, flags) })
    }

    /// From now on `acceptWaiting` returns at once.
    public func setNonBlocking() throws(Errno) {
        try descriptor.setNonBlocking()
    }

    /// The next connection, non-blocking, of a listener that is non-blocking itself; nil when none waits. The C function is
    /// `accept4`.
    public func acceptWaiting() throws(Errno) -> UnixStream? {
        let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        do throws(Errno) {
            return UnixStream(owning: try retryingInterrupts { svmm_accept(descriptor.raw, flags) })
        } catch {
            if error == .again { return nil }
            throw error
        }
    }

    private static func makeSocket(_ type: __socket_type = SOCK_STREAM) throws(Errno) -> FileDescriptor {
        let type = Int32(type.rawValue | SOCK_CLOEXEC.rawValue)
        return FileDescriptor(owning: try once { socket(AF_UNIX, type, 0) })
    }

    private static func bind(_ descriptor: borrowing FileDescriptor, _ address: UnixAddress) throws(Errno) {
        // The name gets the socket's own mode, less the process's mask (unix_bind of the kernel), which is left alone: other threads
        // may be making files.
        _ = try once { fchmod(descriptor.raw, 0o600) }
        var address = address.address
        _ = try once { svmm_bind_unix(descriptor.raw, &address) }
    }

    private static func isAbandonedSocket(_ path: String, _ address: UnixAddress) throws(Errno) -> Bool {
        guard try fileStatus(at: path, followingLinks: false).kind == .socket else { return false }
        // A datagram socket is told EPROTOTYPE by a stream socket that lives, listening or not, and never becomes its client.
        let probe = try makeSocket(SOCK_DGRAM)
        var address = address.address
        return svmm_connect_unix(probe.raw, &address) == -1 && Errno.current == .connectionRefused
    }
}

/// A path as struct sockaddr_un.
struct UnixAddress {
    var address = sockaddr_un()

    init(_ path: String) throws(Errno) {
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count <= UnixListener.maximumPathLength else { throw .nameTooLong }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    }
}

/// Ends a connection both ways: whoever waits in a read or write of it returns. The C function is `shutdown`.
public func endConnection(_ raw: Int32) {
    _ = shutdown(raw, Int32(SHUT_RDWR))
}
