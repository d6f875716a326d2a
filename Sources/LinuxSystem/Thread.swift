import CLinux
import Glibc

/// A POSIX thread with a name. It is not joined: threads of the monitor end with the process.
public final class Thread: @unchecked Sendable {
    // Sound: `identifier` is written once, before any other thread can see this object.
    private var identifier = pthread_t()

    /// Starts a thread. `name` is cut to the kernel's 15 bytes. The corresponding C function is `pthread_create`.
    public init(name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        let box = Unmanaged.passRetained(Box(name: name, body: body))
        let result = pthread_create(&identifier, nil, { argument in
            let box = Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue()
            _ = pthread_setname_np(pthread_self(), String(box.name.prefix(15)))
            box.body()
            return nil
        }, box.toOpaque())
        guard result == 0 else {
            box.release()
            throw Errno(rawValue: result)
        }
        _ = pthread_detach(identifier)
    }

    private final class Box: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}

/// Processors that run. The corresponding C function is `sysconf` (_SC_NPROCESSORS_ONLN).
public func onlineProcessorCount() -> Int {
    max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1)
}
