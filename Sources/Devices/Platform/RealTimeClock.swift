import LinuxSystem
import Synchronization

/// An MC146818A real-time clock at its index and data port, with alarm and update-ended interrupts. Periodic interrupts are
/// left out: Linux makes them from its own timers.
public final class RealTimeClock: PortDevice {
    private let state = Mutex(ClockState())
    private let timer: OneShotTimer
    private let setInterrupt: InterruptLevelHandler
    private let hostTime: @Sendable () -> UInt64

    /// - Parameters:
    ///   - loop: where the interrupts' timer is watched; the caller does so before the loop runs.
    ///   - hostTime: nanoseconds since 1970.
    public init(
        loop: EventLoop, setInterrupt: @escaping InterruptLevelHandler,
        hostTime: @escaping @Sendable () -> UInt64 = Clock.realTimeNanoseconds
    ) throws(Errno) {
        timer = try OneShotTimer()
        self.setInterrupt = setInterrupt
        self.hostTime = hostTime
        _ = try loop.watch(timer.raw, for: .readable) { [weak self] _ in self?.timerFired() }
    }

    public func read(offset: UInt16, size: Int) -> UInt32 {
        guard offset == 1 else { return 0xFF }  // the index port is write-only
        return state.withLock { state in
            let value = state.read(now: seconds())
            updateInterrupt(&state)
            return UInt32(value)
        }
    }

    public func write(offset: UInt16, size: Int, value: UInt32) {
        state.withLock { state in
            guard offset == 1 else {
                state.index = Int(value & 0x7F)  // bit 7 would mask NMIs
                return
            }
            state.write(UInt8(truncatingIfNeeded: value), now: seconds())
            updateInterrupt(&state)
            schedule(state)
        }
    }

    /// The registers now. From any thread; whoever wants them to go with the rest of a machine keeps its guest from running.
    public var snapshot: RealTimeClockState {
        state.withLock { $0.saved(now: seconds()) }
    }

    /// Takes over saved registers: the clock shows the host's present time, plus what the guest had set it apart by. An alarm
    /// that has come since they were saved is reported now. The interrupt line is set to its level, whatever it was. What no
    /// guest could have made is cut to what one could. From any thread.
    public func restore(_ saved: RealTimeClockState) {
        state.withLock { state in
            state = ClockState(saved)
            state.catchUp(now: seconds())
            state.line = state.wantsInterrupt
            setInterrupt(state.line)
            schedule(state)
        }
    }

    private func timerFired() {
        timer.take()
        state.withLock { state in
            state.catchUp(now: seconds())
            updateInterrupt(&state)
            schedule(state)
        }
    }

    private func schedule(_ state: ClockState) {
        let now = hostTime()
        let second: UInt64 = 1_000_000_000
        guard let wait = state.secondsToNextEvent(now: Int(now / second)) else { return timer.disarm() }
        timer.arm(nanoseconds: UInt64(wait) * second - now % second)
    }

    private func updateInterrupt(_ state: inout ClockState) {
        let level = state.wantsInterrupt
        if level != state.line {
            state.line = level
            setInterrupt(level)
        }
    }

    private func seconds() -> Int { Int(hostTime() / 1_000_000_000) }
}
