import CommandSupport
import Containers

/// Numbers with units, as podman and Docker take them.
enum Sizes {
    /// Bytes: a number, with b, k, m, g or t (powers of 1024), also as kb, kib….
    static func bytes(_ text: String, _ expected: String = "a size such as 64m") throws(Expected) -> UInt64 {
        let failure = Expected("\(expected) (a number with b, k, m, g or t), found '\(text)'")
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard let number = UInt64(digits) else { throw failure }
        var unit = text.dropFirst(digits.count).lowercased()
        if unit.count > 1 {
            for suffix in ["ib", "b"] where unit.hasSuffix(suffix) {
                unit.removeLast(suffix.count)
                break
            }
        }
        let factors: [String: UInt64] = ["": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
        guard let factor = factors[unit] else { throw failure }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { throw failure }
        return bytes
    }

    /// Milliseconds of Go's durations: 300ms, 1.5s, 1m30s, 2h.
    static func milliseconds(_ text: String) throws(Expected) -> UInt64 {
        let failure = Expected("a duration such as 30s, 500ms or 1m30s, found '\(text)'")
        guard !text.isEmpty else { throw failure }
        let units: [(String, Double)] = [("ns", 1e-6), ("us", 1e-3), ("µs", 1e-3), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        var rest = text[...]
        var sum = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            guard digits.first != ".", digits.last != ".", let value = Double(digits) else { throw failure }
            rest = rest.dropFirst(digits.count)
            if rest.isEmpty, text == "0" { return 0 }
            // The longest unit that fits: "ms" before "m".
            guard let unit = units.first(where: { rest.hasPrefix($0.0) }) else { throw failure }
            sum += value * unit.1
            rest = rest.dropFirst(unit.0.count)
        }
        guard sum.isFinite, sum <= 31_536_000_000 else { throw Expected("a duration of at most a year, found '\(text)'") }
        return UInt64(sum.rounded())
    }
}
