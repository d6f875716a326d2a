import CLinux
import Glibc

/// A mutex with a condition variable, for threads that wait for each other.
public final class Condition: @unchecked Sendable {
    // Sound: both objects are initialised here, used through their own functions only, and never moved.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    public init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` with the mutex held.
    public func withLock<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Waits for a signal; the mutex must be held, is free while waiting, and is held again afterwards. Check what was
    /// waited for in a loop. The corresponding C function is `pthread_cond_wait`.
    public func wait() {
        pthread_cond_wait(condition, mutex)
    }

    /// As `wait`, until a time of `Clock.monotonicNanoseconds`; false when that has come. The corresponding C function is
    /// `pthread_cond_timedwait`.
    public func wait(until deadline: UInt64) -> Bool {
        var time = timespec()
        time.tv_sec = Int(clamping: deadline / 1_000_000_000)
        time.tv_nsec = Int(deadline % 1_000_000_000)
        return pthread_cond_timedwait(condition, mutex, &time) == 0
    }

    /// Wakes one of the threads that wait, if any does. The corresponding C function is `pthread_cond_signal`.
    public func signal() {
        pthread_cond_signal(condition)
    }

    /// Wakes every thread that waits. The corresponding C function is `pthread_cond_broadcast`.
    public func broadcast() {
        pthread_cond_broadcast(condition)
    }
}

/// A door that opens once; threads wait before it.
public final class Gate: @unchecked Sendable {
    // Sound: `isOpen` is behind the condition's mutex.
    private let condition = Condition()
    private var isOpen = false

    public init() {}

    public func open() {
        condition.withLock {
            isOpen = true
            condition.broadcast()
        }
    }

    public func wait() {
        condition.withLock {
            while !isOpen { condition.wait() }
        }
    }
}
