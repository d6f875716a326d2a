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
    let memory = FilledMemory()
    Power.listenToButton()
    report("waiting")
    while !Power.isButtonPressed { wait(cycles: 2_000_000) }
    report("button")
    Power.forgetButton()
    memory.check()
}

/// power.fill= bytes above the payload, a word of each page of which says where it is.
struct FilledMemory {
    private static let start: UInt = 16 << 20
    private static let page: UInt = 4096
    private let end = Self.start + UInt(Options.number("power.fill", default: 0))

    init() {
        if end > Self.start, UInt64(end) > Boot.endOfLowMemory { fail("power.fill is more than there is above 16 MiB") }
        for address in stride(from: Self.start, to: end, by: UInt.Stride(Self.page)) { store64(address, UInt64(address)) }
    }

    func check() {
        for address in stride(from: Self.start, to: end, by: UInt.Stride(Self.page)) where load64(address) != UInt64(address) {
            fail("memory at \(hex: UInt64(address)) holds \(hex: load64(address))")
        }
    }
}
