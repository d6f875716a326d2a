import CLinux
import Glibc
import Synchronization

/// What a descriptor is watched for.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
    public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
    /// Reported whether asked for or not.
    public static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
    public static let error = Readiness(rawValue: EPOLLERR.rawValue)
    /// The other end of a stream socket has stopped sending, or is gone (EPOLLRDHUP).
    public static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
    /// Only watched for, never reported: tell of each change once, instead of for as long as it lasts (EPOLLET).
    public static let edgeTriggered = Readiness(rawValue: EPOLLET.rawValue)
}

/// An epoll(7) loop, run by one thread: handlers of descriptors, and blocks sent from other threads.
///
/// `watch`, `rearm`, `poll`, `forget` and `afterRound` are for the loop's own thread, or for any one thread before `run` is called.
/// `perform` and `performAndWait` are for every other thread.
public final class EventLoop: @unchecked Sendable {
    // Sound: `handlers` is touched by the loop's thread only (see above), `posted` is behind its mutex.
    public typealias Handler = (Readiness) -> Void

    private struct Watch {
        let descriptor: Int32
        let handler: Handler
    }

    private let epoll: FileDescriptor
    private let wakeUp: EventNotifier
    /// Keyed by a number that is never used twice, so that an event of a descriptor closed meanwhile finds nobody, even
    /// where the kernel has given its number to another file.
    private var handlers: [UInt64: Watch] = [:]
    private var nextToken: UInt64 = 1
    private let posted = Mutex<[@Sendable () -> Void]>([])
    private var stopping = false
    /// Runs after the handlers of each round: for a device that collects in them what is to be done, and does it then all
    /// at once. True when it wants the next round not to wait. Set as `watch` is called.
    public var afterRound: (() -> Bool)?

    /// Empty in loops that wait for descriptors only.
    private var pollers: [(token: UInt64, poller: Poller)] = []
    private var polling = IdlePolling(isWorthwhile: onlineProcessorCount() > 1)

    private static let wakeUpToken: UInt64 = 0
    private static let capacity = 16

    public init() throws(Errno) {
        epoll = FileDescriptor(owning: try once { epoll_create1(Int32(EPOLL_CLOEXEC)) })
        wakeUp = try EventNotifier()
        try control(EPOLL_CTL_ADD, wakeUp.raw, .readable, Self.wakeUpToken)
    }

    /// Names one watch of one descriptor.
    public struct Token: Sendable {
        fileprivate let value: UInt64
        fileprivate let descriptor: Int32
    }

    /// Calls `handler` on the loop's thread whenever the descriptor is ready (level-triggered unless asked otherwise). The
    /// descriptor stays the caller's, who calls `forget` before closing it. The corresponding C function is `epoll_ctl` (EPOLL_CTL_ADD).
    public func watch(_ descriptor: Int32, for readiness: Readiness, _ handler: @escaping Handler) throws(Errno) -> Token {
        let token = nextToken
        try control(EPOLL_CTL_ADD, descriptor, readiness, token)
        nextToken += 1
        handlers[token] = Watch(descriptor: descriptor, handler: handler)
        return Token(value: token, descriptor: descriptor)
    }

    /// Changes what a descriptor is watched for. The corresponding C function is `epoll_ctl` (EPOLL_CTL_MOD).
    public func rearm(_ token: Token, for readiness: Readiness) throws(Errno) {
        try control(EPOLL_CTL_MOD, token.descriptor, readiness, token.value)
    }

    /// Ends a watch: its handler is not called again. The corresponding C function is `epoll_ctl` (EPOLL_CTL_DEL).
    public func forget(_ token: Token) {
        if token.descriptor < 0 { return pollers.removeAll { $0.token == token.value } }
        guard handlers.removeValue(forKey: token.value) != nil else { return }
        // Fails only when the descriptor is closed already, which ended the watch as well.
        try? control(EPOLL_CTL_DEL, token.descriptor, [], token.value)
    }

    /// Has the loop look for work in memory whenever it would sleep, until `forget` is called. As `watch`.
    public func poll(_ poller: Poller) -> Token {
        let token = nextToken
        nextToken += 1
        pollers.append((token, poller))
        return Token(value: token, descriptor: -1)
    }

    /// Runs a block on the loop's thread, soon; blocks run in the order they are sent. From any thread.
    public func perform(_ block: @escaping @Sendable () -> Void) {
        let first = posted.withLock { blocks in
            blocks.append(block)
            return blocks.count == 1
        }
        if first { wakeUp.signal() }
    }

    /// Runs a block on the loop's thread and returns when it is done. Never from the loop's own thread, and only while
    /// the loop runs.
    public func performAndWait(_ block: @escaping @Sendable () -> Void) {
        let done = Gate()
        perform {
            block()
            done.open()
        }
        done.wait()
    }

    /// Handles events until `stop` is called, on the calling thread; afterwards it can run again. The corresponding C
    /// function is `epoll_wait`.
    public func run() {
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.capacity)
        defer { events.deallocate() }
        var mustWait = true
        while !stopping {
            let count = mustWait && !pollers.isEmpty ? lookOrWait(events) : wait(events, mustWait ? -1 : 0)
            if count < 0 { continue }  // EINTR: the only error a valid epoll descriptor has here
            for index in 0..<Int(count) {
                let token = events[index].data.u64
                if token == Self.wakeUpToken {
                    runPosted()
                } else if let watch = handlers[token] {
                    watch.handler(Readiness(rawValue: events[index].events))
                }
            }
            if let afterRound { mustWait = !afterRound() } else { mustWait = true }
        }
        stopping = false
    }

    private func wait(_ events: UnsafeMutablePointer<epoll_event>, _ timeout: Int32) -> Int32 {
        epoll_wait(epoll.raw, events, Int32(Self.capacity), timeout)
    }

    /// Serves what the pollers find, for as long as that is promising, and sleeps then. Descriptors get their turn after each
    /// part of that work: what it sent may have brought an answer at once.
    private func lookOrWait(_ events: UnsafeMutablePointer<epoll_event>) -> Int32 {
        let isServed = serveFound()
        let ready = wait(events, 0)
        if isServed || ready != 0 { return ready }
        if polling.isOpen {
            let start = Clock.monotonicNanoseconds()
            var now = start
            repeat {
                var isFound = false
                for _ in 0..<24 {
                    isFound = serveFound()
                    if isFound { break }
                    spinPause()
                }
                let count = wait(events, 0)
                if isFound || count != 0 {
                    polling.noteNews(after: now &- start)
                    return count
                }
                now = Clock.monotonicNanoseconds()
            } while now &- start < IdlePolling.window
            polling.noteNoNews()
        }
        for index in pollers.indices where pollers[index].poller.prepareToSleep() { return endSleep(wait(events, 0)) }
        let start = Clock.monotonicNanoseconds()
        let count = wait(events, -1)
        polling.noteSleep(Clock.monotonicNanoseconds() &- start)
        return endSleep(count)
    }

    private func endSleep(_ count: Int32) -> Int32 {
        for index in pollers.indices { pollers[index].poller.wake() }
        return count
    }

    /// Whether there was something to do.
    private func serveFound() -> Bool {
        var isFound = false
        var index = 0
        // A poller may be forgotten by what it does.
        while index < pollers.count {
            let poller = pollers[index].poller
            index += 1
            guard poller.hasWork() else { continue }
            poller.serve()
            isFound = true
        }
        return isFound
    }

    /// Ends `run` after the handlers of this round. From the loop's thread.
    public func stop() {
        stopping = true
    }

    private func runPosted() {
        wakeUp.take()
        let blocks = posted.withLock { blocks in
            defer { blocks = [] }
            return blocks
        }
        for block in blocks { block() }
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ readiness: Readiness, _ token: UInt64) throws(Errno) {
        var event = epoll_event()
        event.events = readiness.rawValue
        event.data.u64 = token
        _ = try once { epoll_ctl(epoll.raw, operation, descriptor, &event) }
    }
}
