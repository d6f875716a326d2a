import CLinux
import Glibc

extension FileDescriptor {
    /// A stream connection to the unix socket with this path, close-on-exec. It waits for room in the listener's queue, and later
    /// for input and room, at the most for the given time in seconds, if any; then it fails with `.again`. The corresponding C
    /// functions are `socket` and `connect`.
    public static func connected(toUnixSocket path: String, timeout: Int? = nil) throws(Errno) -> FileDescriptor {
        var address = try UnixAddress(path).address
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = FileDescriptor(owning: try once { socket(AF_UNIX, type, 0) })
        if let timeout { try descriptor.setTimeout(seconds: timeout) }
        _ = try retryingInterrupts { svmm_connect_unix(descriptor.raw, &address) }
        return descriptor
    }

    /// The user whose process has made, or listens at, the other end of a unix socket. The corresponding C function is `getsockopt`
    /// (SO_PEERCRED).
    public func peerUser() throws(Errno) -> UInt32 {
        var credentials = ucred()
        var size = socklen_t(MemoryLayout<ucred>.size)
        _ = try once { getsockopt(raw, SOL_SOCKET, SO_PEERCRED, &credentials, &size) }
        return credentials.uid
    }

    /// A stream connection to a virtual machine's socket through the host's kernel. The corresponding C functions are `socket`
    /// and `connect` (vsock(7)).
    public static func connected(toContext context: UInt32, port: UInt32) throws(Errno) -> FileDescriptor {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = FileDescriptor(owning: try once { socket(AF_VSOCK, type, 0) })
        _ = try once { svmm_connect_vsock(descriptor.raw, context, port) }
        return descriptor
    }

    /// Reads and writes that take longer than this fail with `.again`. The corresponding C function is `setsockopt`
    /// (SO_RCVTIMEO, SO_SNDTIMEO).
    public func setTimeout(seconds: Int) throws(Errno) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            _ = try once { setsockopt(raw, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size)) }
        }
    }
}

/// Ends the sending half of a connection: the other side reads to the end. The corresponding C function is `shutdown` (SHUT_WR).
public func endSending(_ raw: Int32) throws(Errno) {
    _ = try once { shutdown(raw, Int32(SHUT_WR)) }
}
