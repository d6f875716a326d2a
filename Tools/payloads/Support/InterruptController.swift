/// The local APIC of the boot processor and the IOAPIC, as far as payloads need them.
enum InterruptController {
    private static let localAPIC: UInt = 0xFEE0_0000
    private static let ioAPIC: UInt = 0xFEC0_0000
    private static let spuriousVector: UInt32 = 0xFF
    private static let apicEnable: UInt32 = 1 << 8
    private static let deliveryPending: UInt32 = 1 << 12

    static var apicID: UInt32 { load32(localAPIC + 0x20) >> 24 }

    static func enable() { store32(localAPIC + 0xF0, apicEnable | spuriousVector) }

    /// Sends pin `gsi` of the IOAPIC, edge triggered and active high, to this CPU.
    static func route(gsi: UInt32, vector: UInt8) {
        write(0x11 + 2 * gsi, apicID << 24)
        write(0x10 + 2 * gsi, UInt32(vector))
    }

    private static func write(_ register: UInt32, _ value: UInt32) {
        store32(ioAPIC, register)
        store32(ioAPIC + 0x10, value)
    }

    /// How often start.S has taken an interrupt with this vector.
    static func count(_ vector: UInt8) -> UInt32 { load32(interruptCounts() + UInt(vector) * 4) }

    /// INIT and SIPI to every other CPU; they start in real mode at `page` << 12.
    static func startOthers(page: UInt8) {
        send(0x000C_4500)
        wait(cycles: 50_000_000)
        send(0x000C_4600 | UInt32(page))
    }

    private static func send(_ command: UInt32) {
        store32(localAPIC + 0x300, command)
        var deadline = Deadline()
        while load32(localAPIC + 0x300) & deliveryPending != 0 {
            if deadline.passed { fail("the local APIC never delivers \(hex: command)") }
        }
    }
}

func wait(cycles: UInt64) {
    let start = timestamp()
    while timestamp() - start < cycles { cpuPause() }
}
