import Glibc
import LinuxSystem

/// What a test waited for did not come.
public struct TimeoutError: Error {
    public let what: String

    public init(what: String) {
        self.what = what
    }
}

/// Longer than anything takes on a machine under load; a test that passes never waits for it.
public let patience: Int32 = 60_000

/// Waits until a descriptor can be read.
public func waitUntilReadable(_ raw: Int32, _ what: String) throws {
    var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
    while true {
        let count = poll(&entry, 1, patience)
        if count > 0 { return }
        if count == 0 { throw TimeoutError(what: what) }
    }
}

extension EventNotifier {
    /// Waits for an event and takes it.
    public func wait(_ what: String) throws {
        try waitUntilReadable(raw, what)
        take()
    }
}

/// An event loop on a thread of its own, for as long as this object lives.
public final class LoopThread: Sendable {
    public let loop: EventLoop
    private let finished = Gate()

    /// - Parameter prepare: runs before the thread does, as where a device watches its timer.
    public init(_ prepare: (EventLoop) throws -> Void = { _ in }) throws {
        loop = try EventLoop()
        try prepare(loop)
        let (loop, finished) = (loop, finished)
        _ = try Thread(name: "test-loop") {
            loop.run()
            finished.open()
        }
    }

    deinit {
        loop.perform { [loop] in loop.stop() }
        finished.wait()
    }
}
