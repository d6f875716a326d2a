/// Numbers as people read them.
enum Figures {
    /// With so many decimals (0...3).
    static func fixed(_ value: Double, digits: Int) -> String {
        let scale = [1.0, 10, 100, 1000][min(max(digits, 0), 3)]
        guard value.isFinite, value.magnitude < 1e15 else { return "?" }
        let rounded = Int((value * scale).rounded())
        guard digits > 0 else { return "\(rounded)" }
        let fraction = String(rounded.magnitude % UInt(scale))
        return "\(rounded < 0 ? "-" : "")\(rounded.magnitude / UInt(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }

    /// For example 1h2m3s.
    static func elapsed(milliseconds: UInt64) -> String {
        let seconds = milliseconds / 1000
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        if hours > 0 { return "\(hours)h\(minutes)m\(seconds % 60)s" }
        return minutes > 0 ? "\(minutes)m\(seconds % 60)s" : "\(seconds)s"
    }

    /// For example "3 minutes", as in "Up 3 minutes".
    static func duration(nanoseconds: UInt64) -> String {
        let seconds = nanoseconds / 1_000_000_000
        let units: [(UInt64, String)] = [(31_536_000, "year"), (2_592_000, "month"), (604_800, "week"), (86400, "day"), (3600, "hour"),
                                         (60, "minute")]
        for (length, name) in units where seconds >= length { return "\(seconds / length) \(name)\(seconds / length == 1 ? "" : "s")" }
        return seconds == 0 ? "less than a second" : "\(seconds) second\(seconds == 1 ? "" : "s")"
    }
}
