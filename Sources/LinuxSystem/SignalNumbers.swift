import CLinux
import Glibc

/// A signalfd(2) of signals by their numbers, for a program that passes them on. Non-blocking.
public final class SignalNumberQueue: Sendable {
    private let descriptor: FileDescriptor

    /// Blocks the signals in the calling thread and in every thread that it starts later. Signals that the process was started to
    /// ignore are left ignored. The corresponding C functions are `pthread_sigmask` and `signalfd`.
    public init(_ numbers: [Int32]) throws(Errno) {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers where svmm_signal_is_ignored(number) == 0 { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        descriptor = FileDescriptor(owning: try once { signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK)) })
    }

    /// The descriptor's number, for poll. Borrowed.
    public var raw: Int32 { descriptor.raw }

    /// The next pending signal, or nil.
    public func next() -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        return Glibc.read(raw, &info, size) == size ? Int32(bitPattern: info.ssi_signo) : nil
    }
}
