import CLinux
import Glibc
import Synchronization

/// A program that this process has started. It is killed when the object ends.
public final class Subprocess: Sendable {
    public let identifier: Int32
    /// Readable when it has ended (pidfd_open(2)).
    private let end: FileDescriptor
    private let status = Mutex<Int32?>(nil)

    /// Starts a program with these descriptors as its 0, 1, 2…: see `CurrentProcess.spawn`.
    public init(_ path: String, arguments: [String], descriptors: [Int32]) throws(Errno) {
        let identifier = try CurrentProcess.spawn(path, arguments: arguments, descriptors: descriptors)
        self.identifier = identifier
        let end = svmm_pidfd_open(identifier)
        guard end >= 0 else {
            let error = Errno.current
            kill(identifier, SIGKILL)
            _ = svmm_wait(identifier)
            throw error
        }
        self.end = FileDescriptor(owning: end)
    }

    deinit {
        terminate()
    }

    /// The number of the descriptor that is readable when the program has ended, for epoll. Borrowed.
    public var raw: Int32 { end.raw }

    /// Waits for the end: exit status, or 128 and the number of the signal.
    @discardableResult
    public func wait() -> Int32 {
        status.withLock { status in
            if let status { return status }
            let found = svmm_wait(identifier)
            status = found
            return found
        }
    }

    /// Kills the program, unless it has ended, and waits for that. The corresponding C function is `kill`.
    public func terminate() {
        let isReaped = status.withLock { status in
            // Sound: it has not been waited for, so that the number is nobody else's.
            if status == nil { kill(identifier, SIGKILL) }
            return status != nil
        }
        if !isReaped { wait() }
    }
}

/// Where a program is: the first executable file of this name in the directories of PATH. The C function is `access`.
public func findProgram(_ name: String) -> String? {
    let folders = (CurrentProcess.variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
    return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
}
