import LinuxSystem

/// Times as text: RFC 3339 with nanoseconds, in UTC.
public enum Timestamp {
    /// For example 2026-01-31T09:05:00.000000001Z.
    public static func text(_ nanoseconds: UInt64) -> String {
        let time = CalendarTime(secondsSince1970: Int(nanoseconds / 1_000_000_000))
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(width - digits.count, 0)) + digits
        }
        return "\(padded(time.year, 4))-\(padded(time.month, 2))-\(padded(time.day, 2))T\(padded(time.hour, 2)):\(padded(time.minute, 2)):"
            + "\(padded(time.second, 2)).\(padded(Int(nanoseconds % 1_000_000_000), 9))Z"
    }

    /// Nanoseconds since 1970 of RFC 3339 text: a date, also with a time, a fraction and a zone (UTC without one). nil for what is none,
    /// or before 1970.
    public static func parse(_ text: String) -> UInt64? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[range] {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int(byte - 48)
            }
            return value
        }
        func isAt(_ index: Int, _ characters: String) -> Bool { index < bytes.count && characters.utf8.contains(bytes[index]) }
        guard let year = number(0..<4), isAt(4, "-"), let month = number(5..<7), isAt(7, "-"), let day = number(8..<10) else { return nil }
        var time = CalendarTime(secondsSince1970: 0)
        (time.year, time.month, time.day) = (year, month, day)
        (time.hour, time.minute, time.second) = (0, 0, 0)
        var end = 10
        var fraction = 0
        if isAt(10, "Tt ") {
            guard let hour = number(11..<13), isAt(13, ":"), let minute = number(14..<16) else { return nil }
            (time.hour, time.minute) = (hour, minute)
            end = 16
            if isAt(16, ":") {
                guard let second = number(17..<19) else { return nil }
                time.second = second
                end = 19
                if isAt(19, ".") {
                    var digits = 0
                    end = 20
                    while end < bytes.count, (48...57).contains(bytes[end]) {
                        if digits < 9 { fraction = fraction * 10 + Int(bytes[end] - 48) }
                        if digits < 9 { digits += 1 }
                        end += 1
                    }
                    guard digits > 0 else { return nil }
                    for _ in digits..<9 { fraction *= 10 }
                }
            }
        }
        var offset = 0
        if isAt(end, "Zz") {
            end += 1
        } else if isAt(end, "+-") {
            guard let hours = number((end + 1)..<(end + 3)), isAt(end + 3, ":"), let minutes = number((end + 4)..<(end + 6)), hours < 24,
                  minutes < 60 else { return nil }
            offset = (bytes[end] == 43 ? 1 : -1) * (hours * 3600 + minutes * 60)
            end += 6
        }
        guard end == bytes.count, let seconds = time.secondsSince1970, seconds - offset >= 0 else { return nil }
        return UInt64(seconds - offset) * 1_000_000_000 + UInt64(fraction)
    }
}
