import CLinux
import Glibc

/// What one write to a socket is to its reader.
public enum SocketKind: Sendable {
    /// Bytes.
    case stream
    /// A message (SOCK_SEQPACKET, SOCK_DGRAM).
    case messages
}

/// Two connected unix(7) sockets, close-on-exec.
public struct SocketPair: ~Copyable, Sendable {
    public let first: FileDescriptor
    public let second: FileDescriptor

    /// The corresponding C function is `socketpair`.
    public init(_ kind: SocketKind) throws(Errno) {
        var ends: (Int32, Int32) = (0, 0)
        let type = Int32((kind == .stream ? SOCK_STREAM : SOCK_SEQPACKET).rawValue | SOCK_CLOEXEC.rawValue)
        _ = try once {
            withUnsafeMutableBytes(of: &ends) { socketpair(AF_UNIX, type, 0, $0.assumingMemoryBound(to: Int32.self).baseAddress!) }
        }
        first = FileDescriptor(owning: ends.0)
        second = FileDescriptor(owning: ends.1)
    }

    /// Closes the second.
    public consuming func takeFirst() -> FileDescriptor { first }
}

/// What a descriptor's socket is; throws when it is none. The corresponding C function is `getsockopt` (SO_TYPE).
public func socketKind(_ raw: Int32) throws(Errno) -> SocketKind {
    var type: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    _ = try once { getsockopt(raw, SOL_SOCKET, SO_TYPE, &type, &size) }
    return type == Int32(SOCK_STREAM.rawValue) ? .stream : .messages
}

/// Asks for buffers of so many bytes; the kernel gives what its limits allow. The C function is `setsockopt` (SO_SNDBUF, SO_RCVBUF).
public func setSocketBuffers(_ raw: Int32, bytes: Int) {
    var size = Int32(clamping: bytes)
    for option in [SO_SNDBUF, SO_RCVBUF] { _ = setsockopt(raw, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size)) }
}

/// Whether a socket has another end. The corresponding C function is `getpeername`.
public func isConnected(_ raw: Int32) -> Bool {
    var address = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &address) { svmm_getpeername(raw, $0, &size) } == 0
}

/// Keeps a descriptor that somebody else has opened from programs that this process starts. The corresponding C function is `fcntl`
/// (F_SETFD).
public func setCloseOnExec(_ raw: Int32) {
    _ = svmm_fcntl_value(raw, F_SETFD, FD_CLOEXEC)
}

/// As `setCloseOnExec`, of this descriptor and those that follow it without a gap. Returns how many they are. The corresponding C function
/// is `fcntl` (F_GETFD, F_SETFD).
@discardableResult
public func setCloseOnExec(from first: Int32) -> Int32 {
    var number = first
    while number < .max, svmm_fcntl_value(number, F_GETFD, 0) >= 0 {
        setCloseOnExec(number)
        number += 1
    }
    return number - first
}

/// Closes a descriptor that this process was started with. The corresponding C function is `close`.
public func closeInherited(_ raw: Int32) {
    _ = close(raw)
}
