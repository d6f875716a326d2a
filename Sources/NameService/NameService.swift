import LinuxSystem

/// A network's name server as a process.
public enum NameService {
    /// How often a port is tried that another process is about to give back. Milliseconds.
    private static let pause: Int32 = 50

    /// Serves until nobody is named in the file, or SIGTERM or SIGINT comes. Where another process has the lock it returns at once.
    ///
    /// Whoever writes names and starts a process afterwards can rely on being served: a process that finds no names gives up its lock first,
    /// and looks then once more. To be called before there is a second thread.
    ///
    /// - Parameters:
    ///   - lock: a file that is locked (flock(2)) as long as names are served; it is made where there is none, and must not be removed.
    ///   - patience: how long a port is waited for that another process has, in milliseconds.
    ///   - whenReady: called when questions that come are answered.
    public static func run(_ configuration: NameServerConfiguration, lock path: String, patience: UInt32 = 5000, whenReady: () -> Void)
        throws(NameServiceError) {
        let lock = try open(path)
        guard (try? lock.tryLock(shared: false)) == true else { return }
        let signals: SignalQueue
        let loop: EventLoop
        do throws(Errno) {
            ignoreWriteSignals()
            signals = try SignalQueue([.terminate, .interrupt])
            loop = try EventLoop()
        } catch {
            throw NameServiceError("name server: \(error)", error)
        }
        guard let server = try bind(configuration, loop, signals, patience) else { return }
        defer { server.close() }
        // Ports are the last thing that took rights.
        try? CurrentProcess.setNoNewPrivileges()
        var isTold = false
        let told = try? loop.watch(signals.raw, for: .readable) { _ in
            isTold = isTold || signals.next() != nil
            loop.stop()
        }
        defer { if let told { loop.forget(told) } }
        server.whenNameless = { loop.stop() }
        whenReady()
        while !isTold {
            if !server.isNameless { loop.run() }
            if isTold { return }
            guard server.isNameless else { continue }
            try? lock.unlock()
            server.readNames()
            guard !server.isNameless, (try? lock.tryLock(shared: false)) == true else { return }
        }
    }

    private static func open(_ path: String) throws(NameServiceError) -> FileDescriptor {
        do throws(Errno) {
            return try FileDescriptor.open(path, [.readWrite, .create])
        } catch {
            throw NameServiceError("\(path): \(error); expected a file that can be locked", error)
        }
    }

    /// nil: a signal has come meanwhile.
    private static func bind(_ configuration: NameServerConfiguration, _ loop: EventLoop, _ signals: SignalQueue, _ patience: UInt32)
        throws(NameServiceError) -> NameServer? {
        let end = Clock.monotonicNanoseconds() + UInt64(patience) * 1_000_000
        var waiting = PollSet(capacity: 1)
        waiting.set(0, signals.raw, input: true)
        while true {
            do throws(NameServiceError) {
                return try NameServer(configuration, on: loop)
            } catch {
                guard error.cause == .addressInUse, Clock.monotonicNanoseconds() < end else { throw error }
            }
            waiting.wait(milliseconds: pause)
            if waiting.hasInput(0) { return nil }
        }
    }
}
