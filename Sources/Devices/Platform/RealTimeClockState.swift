/// What a `RealTimeClock` keeps while its machine does not exist. The time is not among it: the clock goes on with the host's.
public struct RealTimeClockState: Equatable, Sendable {
    /// What was last written to the index port, 0...127.
    public var index: UInt8 = 0
    /// The 14 registers and the CMOS memory behind them: 128 bytes, and zeros for those that are missing. Date and time among
    /// them mean something only while the guest sets them (register B, SET).
    public var memory = [UInt8](repeating: 0, count: ClockState.memorySize)
    /// The guest's time minus the host's, in seconds.
    public var offset: Int64 = 0
    /// Host time, in seconds since 1970, up to which alarms have been looked for.
    public var lastLook: Int64 = 0

    /// Registers of zeros.
    public init() {}
}
