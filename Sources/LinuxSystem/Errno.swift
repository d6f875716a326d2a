import CLinux
import Glibc

/// An error number as system calls report it (errno(3)).
public struct Errno: Error, Equatable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The calling thread's errno. Read it at once after the failed call.
    public static var current: Errno { Errno(rawValue: errno) }

    /// The text of strerror(3), for example "No such file or directory".
    public var description: String {
        guard let text = strerrordesc_np(rawValue) else { return "error \(rawValue)" }
        return String(cString: text)
    }

    public static let accessDenied = Errno(rawValue: EACCES)
    public static let addressInUse = Errno(rawValue: EADDRINUSE)
    public static let addressNotAvailable = Errno(rawValue: EADDRNOTAVAIL)
    public static let again = Errno(rawValue: EAGAIN)
    public static let badAddress = Errno(rawValue: EFAULT)
    public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    public static let connectionReset = Errno(rawValue: ECONNRESET)
    public static let exists = Errno(rawValue: EEXIST)
    public static let interrupted = Errno(rawValue: EINTR)
    public static let invalidArgument = Errno(rawValue: EINVAL)
    public static let ioError = Errno(rawValue: EIO)
    public static let isDirectory = Errno(rawValue: EISDIR)
    public static let nameTooLong = Errno(rawValue: ENAMETOOLONG)
    public static let noDevice = Errno(rawValue: ENODEV)
    public static let noEntry = Errno(rawValue: ENOENT)
    public static let noMemory = Errno(rawValue: ENOMEM)
    public static let noSpace = Errno(rawValue: ENOSPC)
    public static let notPermitted = Errno(rawValue: EPERM)
    public static let outOfRange = Errno(rawValue: ERANGE)
}

/// Runs a call that reports failure as -1 and errno, and repeats it for as long as a signal interrupts it.
@inline(__always)
func retryingInterrupts<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error != .interrupted { throw error }
    }
}

/// Runs a call that reports failure as -1 and errno, once: for calls that must not be repeated, such as close(2).
@inline(__always)
func once<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    let result = call()
    if result == -1 { throw Errno.current }
    return result
}
