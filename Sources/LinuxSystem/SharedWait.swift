import CLinux
import Glibc

/// Several threads that wait for one descriptor's events, of which each event wakes only one. Any thread may use it.
public final class SharedWait: Sendable {
    private let epoll: FileDescriptor
    private let closing: EventNotifier

    private static let event: UInt64 = 1
    private static let end: UInt64 = 0

    /// - Parameter descriptor: its edges are the events, so nobody needs to read it. It is the caller's, and stays open for as
    ///   long as this object lives.
    ///
    /// The corresponding C functions are `epoll_create1` and `epoll_ctl`.
    public init(_ descriptor: Int32) throws(Errno) {
        epoll = FileDescriptor(owning: try once { epoll_create1(Int32(EPOLL_CLOEXEC)) })
        closing = try EventNotifier()
        try add(descriptor, EPOLLIN.rawValue | EPOLLET.rawValue, Self.event)
        try add(closing.raw, EPOLLIN.rawValue, Self.end)
    }

    private func add(_ descriptor: Int32, _ events: UInt32, _ word: UInt64) throws(Errno) {
        var event = epoll_event()
        event.events = events
        event.data.u64 = word
        _ = try once { epoll_ctl(epoll.raw, EPOLL_CTL_ADD, descriptor, &event) }
    }

    /// Waits for an event; false when there will be no more. An event that nobody waited for is kept for the next who does. The
    /// corresponding C function is `epoll_wait`.
    public func wait() -> Bool {
        var event = epoll_event()
        while epoll_wait(epoll.raw, &event, 1, -1) < 1 {}  // EINTR: the only error a valid epoll descriptor has here
        return event.data.u64 != Self.end
    }

    /// Every thread that waits, now or later, is told that there will be no more events.
    public func close() {
        closing.signal()
    }
}
