// Ends the machine in the way that power.mode= names: off, reset, reset-kbd, triple, panic, button, spin.

let payloadName: StaticString = "power"

func payload() {
    if Options.word("power.mode", is: "reset") {
        report("reset")
        Power.reset()
    } else if Options.word("power.mode", is: "reset-kbd") {
        report("reset-kbd")
        Power.resetByKeyboardController()
    } else if Options.word("power.mode", is: "triple") {
        report("triple")
        Power.tripleFault()
    } else if Options.word("power.mode", is: "panic") {
        report("panic")
        Power.panic()
    } else if Options.word("power.mode", is: "button") {
        waitForButton()
    } else if Options.word("power.mode", is: "spin") {
        report("spinning")
        Power.stop()
    } else if Options.isGiven("power.mode") && !Options.word("power.mode", is: "off") {
        fail("power.mode is not one of off reset reset-kbd triple panic button spin")
    }
    report("off")
    Power.off()
}

func waitForButton() {
    out8(Power.smiCommand, Power.acpiEnable)
    var deadline = Deadline()
    while in16(Power.control) & Power.sciEnabled == 0 {
        if deadline.passed { fail("SCI_EN never comes, PM1a_CNT \(hex: in16(Power.control))") }
    }
    out16(Power.status, Power.buttonBit)
    out16(Power.enable, Power.buttonBit)
    if in16(Power.enable) & Power.buttonBit == 0 { fail("PWRBTN_EN does not stay set") }
    report("waiting")
    while in16(Power.status) & Power.buttonBit == 0 { wait(cycles: 2_000_000) }
    report("button")
    out16(Power.status, Power.buttonBit)
    if in16(Power.status) & Power.buttonBit != 0 { fail("PWRBTN_STS does not clear") }
}
