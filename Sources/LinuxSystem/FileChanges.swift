import CLinux
import Glibc

/// Tells when files or directories change (inotify(7)). One thread waits.
public final class FileChanges: Sendable {
    private let descriptor: FileDescriptor

    /// Close-on-exec and non-blocking. The corresponding C function is `inotify_init1`.
    public init() throws(Errno) {
        descriptor = FileDescriptor(owning: try once { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
    }

    /// The descriptor's number, for poll and epoll: readable when something has changed. Borrowed.
    public var raw: Int32 { descriptor.raw }

    /// What is written to a file, and names that come, go or change in a directory, from now on. The C function is
    /// `inotify_add_watch`.
    public func watch(_ path: String) throws(Errno) {
        let events = UInt32(IN_MODIFY) | UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM) | UInt32(IN_DELETE)
            | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_CLOSE_WRITE)
        _ = try once { inotify_add_watch(descriptor.raw, path, events) }
    }

    /// Takes all events that have come; what they were about is for the caller to look at.
    public func take() {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            while Glibc.read(descriptor.raw, buffer.baseAddress, buffer.count) > 0 {}
        }
    }
}
