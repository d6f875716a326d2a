/// Bytes as people read them.
enum ByteCount {
    /// For example "12.3 MB": three digits or more, and decimal units, as podman and Docker have them.
    static func text(_ bytes: UInt64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        var (value, unit) = (Double(bytes), 0)
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? "\(bytes) B" : "\(decimal(value, digits: value < 9.995 ? 2 : value < 99.95 ? 1 : 0)) \(units[unit])"
    }

    private static func decimal(_ value: Double, digits: Int) -> String {
        let scale = [1.0, 10, 100][digits]
        let rounded = Int((value * scale).rounded())
        guard digits > 0 else { return "\(rounded)" }
        let fraction = String(rounded % Int(scale))
        return "\(rounded / Int(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }
}
