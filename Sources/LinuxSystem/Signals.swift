import CLinux
import Glibc

/// Signals that this process takes as events instead of being interrupted by them.
public enum Signal: Int32, Sendable, CaseIterable {
    case hangUp = 1
    case interrupt = 2
    case quit = 3
    case terminate = 15
    case windowChange = 28

    /// For example "SIGTERM".
    public var name: String {
        switch self {
        case .hangUp: "SIGHUP"
        case .interrupt: "SIGINT"
        case .quit: "SIGQUIT"
        case .terminate: "SIGTERM"
        case .windowChange: "SIGWINCH"
        }
    }
}

/// A signalfd(2): chosen signals, read like a file. Non-blocking.
public final class SignalQueue: Sendable {
    private let descriptor: FileDescriptor

    /// Blocks the signals in the calling thread and in every thread that it starts later: make it before any thread. Signals
    /// that the process was started to ignore, as by nohup(1), are left ignored. The corresponding C functions are
    /// `pthread_sigmask` and `signalfd`.
    public init(_ signals: [Signal]) throws(Errno) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals where svmm_signal_is_ignored(signal.rawValue) == 0 { sigaddset(&set, signal.rawValue) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let flags = Int32(SFD_CLOEXEC | SFD_NONBLOCK)
        descriptor = FileDescriptor(owning: try once { signalfd(-1, &set, flags) })
    }

    /// The descriptor's number, for epoll. Borrowed.
    public var raw: Int32 { descriptor.raw }

    /// The next pending signal, or nil.
    public func next() -> Signal? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        guard Glibc.read(raw, &info, size) == size else { return nil }
        return Signal(rawValue: Int32(bitPattern: info.ssi_signo))
    }
}

/// Makes writes that cannot be done fail instead of killing the process: to a closed pipe or socket with EPIPE, past a limit
/// on the size of files with EFBIG. The C function is `signal` (SIGPIPE, SIGXFSZ).
public func ignoreWriteSignals() {
    _ = Glibc.signal(SIGPIPE, SIG_IGN)
    _ = Glibc.signal(SIGXFSZ, SIG_IGN)
}

/// Keeps the end of a terminal or session from ending this process. The C function is `signal` (SIGHUP).
public func ignoreHangUps() {
    _ = Glibc.signal(SIGHUP, SIG_IGN)
}

/// Gives a program that takes this process's place what it expects: no signal blocked, none ignored of those that are ignored here. The
/// C functions are `signal` and `pthread_sigmask`.
public func restoreSignals() {
    for number in [SIGPIPE, SIGXFSZ, SIGHUP, SIGTTIN, SIGTTOU] { _ = Glibc.signal(number, SIG_DFL) }
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
}

/// Makes reading a terminal from the background fail instead of stopping the process. The C function is `signal` (SIGTTIN).
public func ignoreTerminalInputStops() {
    _ = Glibc.signal(SIGTTIN, SIG_IGN)
}

/// Lets this process set a terminal's mode while another is in its foreground. The C function is `signal` (SIGTTOU).
public func ignoreTerminalOutputStops() {
    _ = Glibc.signal(SIGTTOU, SIG_IGN)
}

/// The signal that interrupts KVM_RUN: the first real-time signal.
public enum KickSignal {
    /// Installs its empty handler and unblocks it, whatever was inherited. Once per process, before the first thread. The C
    /// functions are `sigaction` and `pthread_sigmask`.
    public static func install() throws(Errno) {
        let signal = svmm_first_realtime_signal()
        _ = try once { svmm_install_kick_handler(signal) }
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// Names the calling thread as the receiver of later kicks.
    public static func currentThread() -> UInt { pthread_self() }

    /// Interrupts a thread that is alive. The corresponding C function is `pthread_kill`.
    public static func send(to thread: UInt) {
        _ = pthread_kill(thread, svmm_first_realtime_signal())
    }
}
