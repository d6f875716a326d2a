import CLinux
import Glibc

extension UnixStream {
    /// The process that listens, or has listened last, at the other end of a connection to a listener; nil when it is none that this
    /// process can see. Known whether that process answers or not. The corresponding C function is `getsockopt` (SO_PEERCRED).
    public func peerProcess() -> Int32? {
        var credentials = ucred()
        var size = socklen_t(MemoryLayout<ucred>.size)
        guard getsockopt(raw, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0, credentials.pid > 0 else { return nil }
        return credentials.pid
    }
}
