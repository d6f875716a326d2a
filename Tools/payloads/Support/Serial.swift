/// COM1, a 16550A, polled.
enum Serial {
    static let base: UInt16 = 0x3F8
    static let lineStatus = base + 5
    static let scratch = base + 7
    static let dataReady: UInt8 = 0x01
    static let transmitterEmpty: UInt8 = 0x20

    /// Bytes written although the transmitter had not come ready in time.
    nonisolated(unsafe) static var stalls: UInt64 = 0

    static func write(_ byte: UInt8) {
        var deadline = Deadline()
        while in8(lineStatus) & transmitterEmpty == 0 {
            if deadline.passed {
                stalls += 1
                break
            }
        }
        out8(base, byte)
    }

    static func read() -> UInt8? {
        in8(lineStatus) & dataReady == 0 ? nil : in8(base)
    }
}

/// An end to every polling loop: a payload reports what never came instead of hanging.
struct Deadline {
    /// Some seconds on any machine of the last fifteen years; the payload does not know the TSC's rate.
    static let cycles: UInt64 = 20_000_000_000
    /// What counts of one step at the most: a machine that goes on from a snapshot finds its clock far ahead, and what it has waited
    /// for has had no time to come.
    private static let longestStep: UInt64 = 1_000_000_000

    private var left = Self.cycles
    private var last = timestamp()

    var passed: Bool {
        mutating get {
            cpuPause()
            let now = timestamp()
            let step = min(now &- last, Self.longestStep)
            last = now
            left = left > step ? left - step : 0
            return left == 0
        }
    }
}

/// A line of output. It is written to the serial port while it is built: there is no heap to build it in.
struct Output: ExpressibleByStringInterpolation {
    struct StringInterpolation: StringInterpolationProtocol {
        typealias StringLiteralType = StaticString

        init(literalCapacity: Int, interpolationCount: Int) {}

        func appendLiteral(_ text: StaticString) {
            for index in 0..<text.utf8CodeUnitCount { Serial.write(text.utf8Start[index]) }
        }

        func appendInterpolation(_ text: StaticString) { appendLiteral(text) }

        func appendInterpolation(_ value: some BinaryInteger) {
            writeDigits(UInt64(truncatingIfNeeded: value), base: 10)
        }

        func appendInterpolation(hex value: some BinaryInteger) {
            appendLiteral("0x")
            writeDigits(UInt64(truncatingIfNeeded: value), base: 16)
        }

        /// Bytes at an address up to a NUL, with a dot for what cannot be printed.
        func appendInterpolation(bytesAt address: UInt, count: UInt) {
            for offset in 0..<count {
                let byte = load8(address + offset)
                if byte == 0 { return }
                Serial.write(byte > 0x20 && byte < 0x7F ? byte : UInt8(ascii: "."))
            }
        }

        private func writeDigits(_ value: UInt64, base: UInt64) {
            var divisor: UInt64 = 1
            while value / divisor >= base { divisor *= base }
            while divisor > 0 {
                let digit = UInt8(truncatingIfNeeded: value / divisor % base)
                Serial.write(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
                divisor /= base
            }
        }
    }

    init(stringLiteral text: StaticString) {
        StringInterpolation(literalCapacity: 0, interpolationCount: 0).appendLiteral(text)
    }

    init(stringInterpolation: StringInterpolation) {}
}

/// Prints `NAME: ` and the line.
func report(_ line: @autoclosure () -> Output) {
    _ = "\(payloadName): " as Output
    _ = line()
    Serial.write(UInt8(ascii: "\n"))
}

/// Prints `NAME: FAIL ` and the line, then powers off.
func fail(_ line: @autoclosure () -> Output) -> Never {
    _ = "\(payloadName): FAIL " as Output
    _ = line()
    Serial.write(UInt8(ascii: "\n"))
    Power.off()
}
