import CLinux
import Glibc

/// Calendar time in UTC, as the RTC shows it.
public struct CalendarTime: Sendable, Equatable {
    public var year: Int  // for example 2026
    public var month: Int  // 1...12
    public var day: Int  // 1...31
    public var weekday: Int  // 1...7, Sunday is 1
    public var hour: Int
    public var minute: Int
    public var second: Int

    /// The corresponding C function is `gmtime_r`.
    public init(secondsSince1970: Int) {
        var time = time_t(secondsSince1970)
        var fields = tm()
        gmtime_r(&time, &fields)
        year = Int(fields.tm_year) + 1900
        month = Int(fields.tm_mon) + 1
        day = Int(fields.tm_mday)
        weekday = Int(fields.tm_wday) + 1
        hour = Int(fields.tm_hour)
        minute = Int(fields.tm_min)
        second = min(Int(fields.tm_sec), 59)
    }

    /// nil when the fields are no date and time. The corresponding C function is `timegm`.
    public var secondsSince1970: Int? {
        guard (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
              (0...59).contains(second), (1970...9999).contains(year) else { return nil }
        var fields = tm()
        fields.tm_year = Int32(year - 1900)
        fields.tm_mon = Int32(month - 1)
        fields.tm_mday = Int32(day)
        fields.tm_hour = Int32(hour)
        fields.tm_min = Int32(minute)
        fields.tm_sec = Int32(second)
        return timegm(&fields)
    }
}

extension CalendarTime {
    /// A day and a time of it; nil when they are no date and time from 1970 on. A leap second is the one before it.
    public init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        self.init(secondsSince1970: 0)
        (self.year, self.month, self.day, self.hour, self.minute, self.second) = (year, month, day, hour, minute, second == 60 ? 59 : second)
        guard let seconds = secondsSince1970 else { return nil }
        self.init(secondsSince1970: seconds)
    }
}
