import CLinux
import Glibc

/// A POSIX thread with a name. It is not joined: threads of the monitor end with the process.
public final class Thread: @unchecked Sendable {
    // Sound: `identifier` is written once, before any other thread can see this object.
    private var identifier = pthread_t()

    /// Less than the 2 MiB of a transparent huge page, which the first use of a larger stack can cost.
    public static let smallStack = 1 << 20
    /// For what follows a tree to its leaves.
    public static let largeStack = 8 << 20

    /// Starts a thread. `name` is cut to the kernel's 15 bytes; the stack has so many bytes, whatever the process's limit is. The
    /// corresponding C function is `pthread_create`.
    public init(name: String, stack: Int = smallStack, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stack)
        let box = Unmanaged.passRetained(Box(name: name, body: body))
        let result = pthread_create(&identifier, &attributes, { argument in
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
