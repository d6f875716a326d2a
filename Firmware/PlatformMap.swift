/// Where everything that never moves is: I/O ports, interrupts, addresses, and the values written to them.
///
/// The tables of this module tell the guest, the device models answer it, and both read these constants, so that the
/// two cannot disagree. "GSI" is ACPI's global system interrupt: with one I/O APIC whose base is 0, the pin number.
public enum PlatformMap {
    // MARK: Processors and interrupt controllers

    /// Processor n has ACPI processor UID n and local APIC ID n. The 8-bit APIC IDs of MADT and MP table would allow
    /// some more, 0xFF excepted, which means all processors.
    public static let processorCounts: ClosedRange<Int> = 1...64

    /// Intel SDM volume 3, "Local APIC": the reset value of IA32_APIC_BASE.
    public static let localAPICAddress: UInt32 = 0xFEE0_0000
    /// The version KVM's local APIC reports (`APIC_VERSION` in arch/x86/kvm/lapic.c). Linux prints "BIOS bug: APIC
    /// version mismatch" when the MP table says something else.
    public static let localAPICVersion: UInt8 = 0x14

    public static let ioAPICAddress: UInt32 = 0xFEC0_0000
    /// What the ID register of KVM's I/O APIC holds after reset. It has 4 bits, so with many processors no value would
    /// differ from all local APIC IDs. It need not: since local APICs talk over the system bus, the two kinds of ID are
    /// separate spaces, and 64-bit Linux compares those of I/O APICs with each other only.
    public static let ioAPICID: UInt8 = 0
    /// `IOAPIC_VERSION_ID` in arch/x86/kvm/ioapic.h.
    public static let ioAPICVersion: UInt8 = 0x11
    public static let ioAPICPinCount: UInt32 = 24
    public static let ioAPICGSIBase: UInt32 = 0

    /// The 8254 timer. KVM's default routing is the identity: `default_routing` in arch/x86/kvm/irq_comm.c sends GSI n
    /// to I/O APIC pin n, the timer's GSI 0 included. A PC wires its timer to pin 2 and says so in an interrupt source
    /// override; the tables here have none, and a monitor that installs its own routing has to keep GSI 0 on pin 0.
    public static let timerGSI: UInt32 = 0
    /// The second 8259's cascade input. No device can use it: Linux never routes IRQ 2 to the I/O APIC.
    public static let cascadeGSI: UInt32 = 2

    /// The GSIs that no fixed device has, in the order to hand them out: those first that a kernel
    /// without the I/O APIC could use as well.
    public static let assignableGSIs: [UInt32] = [5, 6, 7, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 3, 13, 1]

    // MARK: ISA devices

    /// COM1, a 16550A.
    public static let serialPort: UInt16 = 0x3F8
    public static let serialPortLength: UInt16 = 8
    public static let serialGSI: UInt32 = 4

    /// The MC146818 real-time clock: index and data port.
    public static let clockPort: UInt16 = 0x70
    public static let clockPortLength: UInt16 = 2
    /// Where its CMOS memory has the century, in the format of the other fields.
    public static let clockCenturyRegister: UInt8 = 0x32
    public static let clockGSI: UInt32 = 8

    /// QEMU's pvpanic device (docs/specs/pvpanic): one byte, the supported events if read, the event if written.
    public static let pvpanicPort: UInt16 = 0x505
    public static let pvpanicPortLength: UInt16 = 1

    // MARK: ACPI fixed hardware (ACPI 6.5, section 4.8)

    /// PM1a_EVT_BLK: the 16-bit status register, then the 16-bit enable register.
    public static let pm1aEventBlock: UInt16 = 0x600
    public static let pm1EventLength: UInt8 = 4
    /// PM1a_CNT_BLK: the 16-bit control register.
    public static let pm1aControlBlock: UInt16 = 0x604
    public static let pm1ControlLength: UInt8 = 2

    /// GPE0_BLK: the 8-bit status register, then the 8-bit enable register, of the events 0 to 7 (section 4.8.4.1).
    public static let gpe0Block: UInt16 = 0x620
    public static let gpe0Length: UInt8 = 2
    /// The general-purpose event, a bit in both registers, that says that the generation ID has changed. The others
    /// mean nothing.
    public static let generationEvent: UInt8 = 0

    /// SMI_CMD, and the values that set and clear SCI_EN in PM1a_CNT.
    public static let smiCommandPort: UInt16 = 0xB2
    public static let acpiEnable: UInt8 = 0x02
    public static let acpiDisable: UInt8 = 0x03

    /// The system control interrupt: level triggered, active high.
    public static let sciGSI: UInt32 = 9

    /// SLP_TYPa of the state S5, soft off.
    public static let sleepTypeS5: UInt8 = 5

    /// RESET_REG, and the RESET_VALUE that resets the machine: the PC's reset control register.
    public static let resetPort: UInt16 = 0xCF9
    public static let resetValue: UInt8 = 0x06

    // MARK: Memory

    /// The 128 KiB in which a PC has its BIOS and in which an operating system looks for the RSDP (ACPI 6.5, section
    /// 5.2.5.1). The memory map given to the guest has to mark them reserved.
    public static let firmwareAddress: UInt64 = 0xE_0000
    public static let firmwareCapacity = 0x2_0000
    /// The start of the last 64 KiB of them, where the MP floating pointer structure is looked for (MP 1.4, section 4).
    public static let mpFloatingPointerAddress: UInt64 = 0xF_0000
    /// The 16 bytes of the virtual machine generation ID, aligned to 8. They have a page of their own behind all
    /// tables: in guest RAM, but in no range that the memory map calls usable or reclaimable, as Microsoft's
    /// specification wants it, so that an operating system keeps it as it is and maps it cached.
    ///
    /// The caller of `makeFirmware` writes there what no other machine has: before the first instruction, and again,
    /// before it announces it, when a machine goes on from a saved state.
    public static let generationID: UInt64 = 0xF_F000
    public static let generationIDLength = 16
}
