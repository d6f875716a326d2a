import CLinux
import Glibc

/// An eventfd(2): a counter that one thread, process or KVM raises and another waits for.
///
/// Any thread may signal it; one thread takes its events.
public final class EventNotifier: Sendable {
    private let descriptor: FileDescriptor

    /// Non-blocking and close-on-exec. The corresponding C function is `eventfd`.
    public init() throws(Errno) {
        descriptor = FileDescriptor(owning: try once { eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) })
    }

    /// The descriptor's number, for epoll and KVM. Borrowed.
    public var raw: Int32 { descriptor.raw }

    /// Raises the counter by one.
    public func signal() {
        var one: UInt64 = 1
        // Fails only when the counter stands at its maximum, and then the event is pending anyway.
        _ = Glibc.write(raw, &one, 8)
    }

    /// Takes all pending events; false when there were none.
    @discardableResult
    public func take() -> Bool {
        var value: UInt64 = 0
        return Glibc.read(raw, &value, 8) == 8
    }
}
