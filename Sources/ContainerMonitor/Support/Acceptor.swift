import LinuxSystem

/// A listening unix socket on the loop.
final class Acceptor {
    private let listener: UnixListener
    private let loop: EventLoop
    private let timers: Timers
    private let accept: (consuming UnixStream) -> Void
    private var token: EventLoop.Token?
    private var pause: Timers.Token?

    /// How long nobody is accepted when that has failed, for want of descriptors as a rule: a tenth of a second. Who connects waits in
    /// the socket's queue, which would report it without end.
    private static let pauseTime: UInt64 = 100_000_000
    /// Connections that one event accepts: others shall have their turn.
    private static let limit = 16
    private static let backlog: Int32 = 64

    /// Makes the socket, which only this user may open; connections wait in its queue until `start` is called.
    init(
        path: String, _ loop: EventLoop, _ timers: Timers, _ accept: @escaping (consuming UnixStream) -> Void
    ) throws(ContainerError) {
        do throws(Errno) {
            listener = try UnixListener(path: path, backlog: Self.backlog)
            try listener.setNonBlocking()
        } catch {
            let reason = switch error {
            case .addressInUse: "the path exists and is in use; is there another monitor of this container?"
            case .nameTooLong: "a path of \(path.utf8.count) bytes, expected at most \(UnixListener.maximumPathLength)"
            default: "\(error)"
            }
            throw ContainerError("\(path): \(reason)")
        }
        self.loop = loop
        self.timers = timers
        self.accept = accept
    }

    deinit {
        close()
    }

    func start() throws(Errno) {
        token = try loop.watch(listener.raw, for: .readable) { [weak self] _ in self?.acceptWaiting() }
    }

    /// Accepts those that wait.
    func acceptAll() {
        while let waiting = try? listener.acceptWaiting() { accept(waiting) }
    }

    /// Ends the connections that nobody has accepted yet.
    func refuseWaiting() {
        while let waiting = try? listener.acceptWaiting() { _ = consume waiting }
    }

    /// Accepts no more, and removes the name.
    func close() {
        if let token { loop.forget(token) }
        token = nil
        timers.cancel(&pause)
        listener.removeName()
    }

    private func acceptWaiting() {
        do throws(Errno) {
            for _ in 0..<Self.limit {
                guard let stream = try listener.acceptWaiting() else { return }
                accept(stream)
            }
        } catch {
            guard let token else { return }
            try? loop.rearm(token, for: [])
            timers.cancel(&pause)
            pause = timers.after(Self.pauseTime) { [weak self] in
                if let self, let token = self.token { try? loop.rearm(token, for: .readable) }
            }
        }
    }
}
