import Glibc

/// A few descriptors to wait for, each for input, room for output, or both. Waiting allocates nothing.
public struct PollSet {
    private var entries: [pollfd]

    /// - Parameter capacity: how many; each is absent until it is set.
    public init(capacity: Int) {
        entries = [pollfd](repeating: pollfd(fd: -1, events: 0, revents: 0), count: capacity)
    }

    /// Sets what is waited for at an index below the capacity; nil, or neither input nor output: nothing but its end.
    public mutating func set(_ index: Int, _ raw: Int32?, input: Bool = false, output: Bool = false) {
        entries[index] = pollfd(fd: raw ?? -1, events: Int16((input ? POLLIN : 0) | (output ? POLLOUT : 0)), revents: 0)
    }

    /// Waits until one of them is ready, or a signal comes, at most for a time in milliseconds (-1: for ever). The corresponding C function
    /// is `poll`.
    public mutating func wait(milliseconds: Int32 = -1) {
        // A signal makes no descriptor ready.
        if Glibc.poll(&entries, nfds_t(entries.count), milliseconds) < 0 {
            for index in entries.indices { entries[index].revents = 0 }
        }
    }

    /// Whether the last wait found it ready, ended or failed.
    public func isReady(_ index: Int) -> Bool { entries[index].revents != 0 }

    /// Whether it has input, or has ended where input was waited for.
    public func hasInput(_ index: Int) -> Bool {
        let found = Int32(entries[index].revents)
        return found & POLLIN != 0 || (Int32(entries[index].events) & POLLIN != 0 && found != 0 && found & ~POLLOUT != 0)
    }
}
