import CLinux
import Glibc

/// Waits until the descriptor takes output, or fails, at most for a time in milliseconds; -1 is for ever. A pipe that does so
/// takes 4096 bytes at once. The corresponding C function is `poll`.
public func isWritable(_ raw: Int32, within milliseconds: Int32) -> Bool {
    poll(raw, for: POLLOUT, within: milliseconds) != nil
}

/// Waits until the descriptor has input, or ends, or fails. The corresponding C function is `poll`.
public func waitForInput(_ raw: Int32) {
    _ = poll(raw, for: POLLIN, within: -1)
}

/// Whether the other end of a connection has gone altogether, rather than only stopped sending. The C function is `poll`.
public func isHungUp(_ raw: Int32) -> Bool {
    guard let events = poll(raw, for: 0, within: 0) else { return false }
    return events & (POLLHUP | POLLERR) != 0
}

/// Polls one descriptor; nil when nothing has come within the time, or a signal has.
private func poll(_ raw: Int32, for events: Int32, within milliseconds: Int32) -> Int32? {
    var entry = pollfd(fd: raw, events: Int16(events), revents: 0)
    return Glibc.poll(&entry, 1, milliseconds) == 1 ? Int32(entry.revents) : nil
}

/// Several descriptors to wait for, of which any may have input. Waiting allocates nothing.
public struct PollList: ~Copyable {
    private let entries: UnsafeMutableBufferPointer<pollfd>

    /// - Parameter capacity: how many; each is absent until it is set.
    public init(capacity: Int) {
        entries = .allocate(capacity: capacity)
        entries.initialize(repeating: pollfd(fd: -1, events: Int16(POLLIN), revents: 0))
    }

    deinit {
        entries.deallocate()
    }

    /// Sets the descriptor at an index, which is below the capacity; nil waits for none there.
    public mutating func set(_ index: Int, _ raw: Int32?) {
        entries[index].fd = raw ?? -1
    }

    /// Waits until one of the descriptors has input, or a signal comes. The corresponding C function is `poll`.
    public mutating func wait() {
        // A signal makes no descriptor ready, and leaves the fields as they were.
        if Glibc.poll(entries.baseAddress, nfds_t(entries.count), -1) < 0 {
            for index in entries.indices { entries[index].revents = 0 }
        }
    }

    /// Whether the last wait found input at this index.
    public func isReady(_ index: Int) -> Bool { entries[index].revents != 0 }
}

/// Waits until one of two descriptors has input, or ends, or fails: 0 or 1, the first of them; nil when nothing has come within the
/// time in milliseconds. The corresponding C function is `poll`.
public func waitForInput(_ first: Int32, or second: Int32, within milliseconds: Int32) -> Int? {
    var entries = [pollfd(fd: first, events: Int16(POLLIN), revents: 0), pollfd(fd: second, events: Int16(POLLIN), revents: 0)]
    guard Glibc.poll(&entries, 2, milliseconds) > 0 else { return nil }
    return entries.firstIndex { $0.revents != 0 }
}
