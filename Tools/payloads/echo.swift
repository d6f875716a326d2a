// The serial port: echo.mode=echo sends back what comes in, up to a `q`; echo.mode=flood writes echo.bytes of text.

let payloadName: StaticString = "echo"

func payload() {
    if Options.word("echo.mode", is: "flood") { flood() } else { echo() }
}

func echo() {
    stringIO()
    report("ready")
    while true {
        guard let byte = Serial.read() else {
            wait(cycles: 100_000)
            continue
        }
        Serial.write(byte)
        if byte == UInt8(ascii: "q") { break }
    }
    _ = "\n" as Output
    report("ok")
}

/// `rep outsb`: one exit may carry the whole line.
func stringIO() {
    let line: StaticString = "echo: string\n"
    outString8(Serial.base, UInt(bitPattern: line.utf8Start), UInt(line.utf8CodeUnitCount))
}

/// Lines of 64 bytes, each with its number. A byte that the transmitter took too long for counts as a stall.
func flood() {
    let bytes = Options.number("echo.bytes", default: 1 << 20)
    var written: UInt64 = 0
    let start = timestamp()
    while written < bytes {
        let column = written % 64
        switch column {
        case 63: Serial.write(UInt8(ascii: "\n"))
        case 0..<8:
            let digit = UInt8((written / 64) >> ((7 - column) * 4) & 15)
            Serial.write(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
        default: Serial.write(UInt8(ascii: "!") + UInt8((written / 64 + column) % 94))
        }
        written += 1
    }
    let cycles = timestamp() - start
    _ = "\n" as Output
    if Serial.stalls != 0 { fail("flood bytes=\(written) stalls=\(Serial.stalls)") }
    report("ok flood bytes=\(written) cycles=\(cycles)")
}
