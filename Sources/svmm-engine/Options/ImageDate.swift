import CommandSupport
import LinuxSystem

/// When an image was made, as its configuration says it. Source: RFC 3339.
struct ImageDate: Equatable {
    /// Seconds since 1970.
    let seconds: Int64

    init(seconds: Int64) {
        self.seconds = seconds
    }

    /// Parses `2024-05-01T12:34:56[.789](Z|+01:00)`; nil for what is no date.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return bytes[range].reduce(0) { $0 * 10 + Int64($1 - 0x30) }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
              let minute = number(14..<16), let second = number(17..<19), bytes[4] == 0x2D, bytes[7] == 0x2D,
              bytes[10] | 0x20 == UInt8(ascii: "t"), bytes[13] == 0x3A, bytes[16] == 0x3A else { return nil }
        var place = 19
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
            place += 1
            while place < bytes.count, (0x30...0x39).contains(bytes[place]) { place += 1 }
        }
        guard place < bytes.count else { return nil }
        var offset: Int64 = 0
        if bytes[place] | 0x20 != UInt8(ascii: "z") {
            guard place + 6 == bytes.count, let hours = number(place + 1..<place + 3), let minutes = number(place + 4..<place + 6),
                  [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[place]) else { return nil }
            offset = (hours * 3600 + minutes * 60) * (bytes[place] == UInt8(ascii: "-") ? -1 : 1)
        } else {
            guard place + 1 == bytes.count else { return nil }
        }
        let time = CalendarTime(
            year: Int(year), month: Int(month), day: Int(day), hour: Int(hour), minute: Int(minute), second: Int(second))
        guard let local = time?.secondsSince1970 else { return nil }
        seconds = Int64(local) - offset
    }

    /// For example "3 weeks ago".
    func age(now: Int64) -> String {
        let passed = now - seconds
        if passed < 1 { return "just now" }
        let units: [(Int64, String)] = [(31_536_000, "year"), (2_592_000, "month"), (604_800, "week"), (86400, "day"), (3600, "hour"),
                                        (60, "minute"), (1, "second")]
        // Two of a unit read better than one and a half of the next.
        for (length, name) in units where passed >= 2 * length { return "\(passed / length) \(name)s ago" }
        return "1 second ago"
    }
}
