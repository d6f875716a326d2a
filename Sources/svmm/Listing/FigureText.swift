/// Figures as people read them; what is cut off is not rounded.
enum FigureText {
    /// Bytes in the units that `--memory` takes, for example "37.4 MiB" or "512 MiB".
    static func bytes(_ bytes: UInt64) -> String {
        if bytes < 1 << 20 { return "\(bytes >> 10) KiB" }
        return bytes < 1 << 30 ? decimal(bytes, unit: 1 << 20) + " MiB" : decimal(bytes, unit: 1 << 30) + " GiB"
    }

    /// Nanoseconds, for example "1.5 s", "3 min 12 s" or "5 d 3 h".
    static func time(_ nanoseconds: UInt64) -> String {
        let seconds = nanoseconds / 1_000_000_000
        if seconds < 60 { return decimal(nanoseconds, unit: 1_000_000_000) + " s" }
        let minutes = seconds / 60
        if minutes < 60 { return "\(minutes) min \(seconds % 60) s" }
        let hours = minutes / 60
        return hours < 24 ? "\(hours) h \(minutes % 60) min" : "\(hours / 24) d \(hours % 24) h"
    }

    /// With one digit behind the point where three would not be before it, and where it is not 0.
    private static func decimal(_ value: UInt64, unit: UInt64) -> String {
        let (whole, tenth) = (value / unit, value % unit * 10 / unit)
        return whole < 100 && tenth > 0 ? "\(whole).\(tenth)" : "\(whole)"
    }
}
