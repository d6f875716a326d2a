// Sends a byte by the serial port every few microseconds, for ever: the first one after a restore tells that the guest runs.

let payloadName: StaticString = "ticks"

func payload() {
    report("ready")
    while true {
        // Without a look at the transmitter first: the exit that is counted is the first one.
        out8(Serial.base, UInt8(ascii: "."))
        wait(cycles: 50_000)
    }
}
