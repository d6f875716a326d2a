import CLinux
import Glibc

/// Clocks, in nanoseconds.
public enum Clock {
    /// Time since boot, without time asleep; never set. The corresponding C function is `clock_gettime` (CLOCK_MONOTONIC).
    public static func monotonicNanoseconds() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

    /// Time since 1970-01-01 00:00 UTC. The corresponding C function is `clock_gettime` (CLOCK_REALTIME).
    public static func realTimeNanoseconds() -> UInt64 { nanoseconds(CLOCK_REALTIME) }

    /// Lets the thread rest for less than a second, in nanoseconds, or until a signal. The corresponding C function is `nanosleep`.
    public static func pause(nanoseconds: UInt64) {
        var time = timespec(tv_sec: 0, tv_nsec: Int(min(nanoseconds, 999_999_999)))
        _ = nanosleep(&time, nil)
    }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec)
    }
}

/// Hints to the processor that this thread polls memory. The C builtin is `__builtin_ia32_pause`.
@inline(__always)
public func spinPause() {
    svmm_pause()
}

/// A timerfd(2) that fires once per arming. Non-blocking; arming from any thread.
public final class OneShotTimer: Sendable {
    private let descriptor: FileDescriptor

    public init() throws(Errno) {
        let flags = Int32(TFD_CLOEXEC | TFD_NONBLOCK)
        descriptor = FileDescriptor(owning: try once { timerfd_create(CLOCK_MONOTONIC, flags) })
    }

    /// The descriptor's number, for epoll. Borrowed.
    public var raw: Int32 { descriptor.raw }

    /// Fires after this time, at least one nanosecond from now. The corresponding C function is `timerfd_settime`.
    public func arm(nanoseconds: UInt64) {
        let delay = max(nanoseconds, 1)
        var setting = itimerspec()
        setting.it_value.tv_sec = Int(clamping: delay / 1_000_000_000)
        setting.it_value.tv_nsec = Int(delay % 1_000_000_000)
        timerfd_settime(raw, 0, &setting, nil)
    }

    /// Does not fire until armed again.
    public func disarm() {
        var setting = itimerspec()
        timerfd_settime(raw, 0, &setting, nil)
    }

    /// Takes the event; false when it has not fired.
    @discardableResult
    public func take() -> Bool {
        var value: UInt64 = 0
        return Glibc.read(raw, &value, 8) == 8
    }
}
