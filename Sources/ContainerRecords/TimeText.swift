import LinuxSystem

/// Times as RFC 3339 has them.
public enum TimeText {
    /// For example "2026-01-31T12:00:00.000000001Z".
    public static func rfc3339(nanoseconds: UInt64) -> String {
        let time = CalendarTime(secondsSince1970: Int(clamping: nanoseconds / 1_000_000_000))
        let date = "\(padded(time.year, 4))-\(padded(time.month, 2))-\(padded(time.day, 2))"
        let clock = "\(padded(time.hour, 2)):\(padded(time.minute, 2)):\(padded(time.second, 2))"
        return "\(date)T\(clock).\(padded(Int(nanoseconds % 1_000_000_000), 9))Z"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(width - digits.utf8.count, 0)) + digits
    }
}
