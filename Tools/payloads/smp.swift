// Starts the application processors by INIT and SIPI; each goes from real mode to long mode, counts itself and halts.

let payloadName: StaticString = "smp"

func payload() {
    let cpus = UInt32(truncatingIfNeeded: Options.number("smp.cpus", default: 2))
    // the command line may lie below 1 MiB too: it has been read
    let page: UInt8 = 0x08
    let length = trampolineEnd() - trampolineStart()
    for offset in 0..<length { store8(UInt(page) << 12 | offset, load8(trampolineStart() + offset)) }

    InterruptController.enable()
    if cpus > 1 { InterruptController.startOthers(page: page) }
    var deadline = Deadline()
    while load32(apOnlineCount()) < cpus - 1 {
        if deadline.passed { fail("\(load32(apOnlineCount()) + 1) CPUs of \(cpus)") }
    }
    // one too many would come now
    wait(cycles: 50_000_000)
    let online = load32(apOnlineCount()) + 1
    if online != cpus { fail("\(online) CPUs, expected \(cpus)") }

    report("cpu 0 apic=\(InterruptController.apicID)")
    for index in 0..<UInt(cpus - 1) {
        let apicID = load32(apAPICIDs() + index * 4)
        report("cpu \(index + 1) apic=\(apicID)")
        if apicID == InterruptController.apicID { fail("an AP with the BSP's APIC id") }
        for other in 0..<index where load32(apAPICIDs() + other * 4) == apicID { fail("APIC id \(apicID) twice") }
    }
    report("\(online)")
}
