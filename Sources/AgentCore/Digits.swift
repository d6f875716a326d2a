/// Numbers in text.
public enum Digits {
    /// Nothing but decimal digits, at least one, below 2^64.
    public static func decimal(_ text: some Collection<UInt8>) -> UInt64? {
        guard !text.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    public static func text(_ value: UInt64) -> [UInt8] {
        var digits: [UInt8] = []
        var rest = value
        repeat {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        return digits.reversed()
    }

    /// At least `width` octal digits.
    public static func octal(_ value: UInt64, width: Int = 1) -> [UInt8] {
        var digits: [UInt8] = []
        var rest = value
        repeat {
            digits.append(UInt8(ascii: "0") + UInt8(rest & 7))
            rest >>= 3
        } while rest > 0
        while digits.count < width { digits.append(UInt8(ascii: "0")) }
        return digits.reversed()
    }

    /// The value behind "NAME " or "NAME:" on a line of its own, as in /proc/meminfo and in files of cgroups; units are left aside.
    public static func value(of name: StaticString, in text: [UInt8]) -> UInt64? {
        let space = UInt8(ascii: " ")
        let nameBytes = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let words = line.split { $0 == space || $0 == UInt8(ascii: "\t") }
            guard words.count >= 2 else { continue }
            var key = words[0]
            if key.last == UInt8(ascii: ":") { key = key.dropLast() }
            if key.elementsEqual(nameBytes) { return decimal(words[1]) }
        }
        return nil
    }
}
