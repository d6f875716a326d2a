/// The Multiple APIC Description Table: processors and interrupt controllers (ACPI 6.5, section 5.2.12).
enum MultipleAPICTable {
    /// The flags of one interrupt, as the MADT and the MP table both encode them: polarity in bits 0-1, trigger mode in
    /// bits 2-3 (MPS INTI flags, ACPI 6.5, table 5.26; MP 1.4, table 4-10).
    enum InterruptFlags {
        static let conformsToBus: UInt16 = 0b0000
        static let edgeActiveHigh: UInt16 = 0b0101
        static let levelActiveHigh: UInt16 = 0b1101
    }

    private static let pcatCompat: UInt32 = 1 << 0
    private static let processorEnabled: UInt32 = 1 << 0

    static func bytes(processorCount: Int) -> [UInt8] {
        var body: [UInt8] = []
        body.append(littleEndian: PlatformMap.localAPICAddress)
        body.append(littleEndian: pcatCompat)  // Flags: KVM's interrupt controllers include the two 8259s
        for processor in 0..<processorCount {
            appendLocalAPIC(UInt8(processor), to: &body)
        }
        appendIOAPIC(to: &body)
        // ISA interrupts are edge triggered and go to the GSI of their number, the timer too. Only the SCI differs.
        appendSourceOverride(
            isaInterrupt: UInt8(PlatformMap.sciGSI), gsi: PlatformMap.sciGSI, flags: InterruptFlags.levelActiveHigh,
            to: &body)
        appendLocalAPICNMI(to: &body)
        return SystemDescriptionTable(signature: "APIC", revision: 5, body: body).bytes
    }

    /// Section 5.2.12.2. Local x2APIC entries are for IDs from 255 on.
    private static func appendLocalAPIC(_ processor: UInt8, to body: inout [UInt8]) {
        body.append(0)  // Type
        body.append(8)  // Length
        body.append(processor)  // ACPI Processor UID
        body.append(processor)  // APIC ID
        body.append(littleEndian: processorEnabled)
    }

    /// Section 5.2.12.3.
    private static func appendIOAPIC(to body: inout [UInt8]) {
        body.append(1)  // Type
        body.append(12)  // Length
        body.append(PlatformMap.ioAPICID)
        body.append(0)  // Reserved
        body.append(littleEndian: PlatformMap.ioAPICAddress)
        body.append(littleEndian: PlatformMap.ioAPICGSIBase)
    }

    /// Section 5.2.12.5.
    private static func appendSourceOverride(isaInterrupt: UInt8, gsi: UInt32, flags: UInt16, to body: inout [UInt8]) {
        body.append(2)  // Type
        body.append(10)  // Length
        body.append(0)  // Bus: ISA
        body.append(isaInterrupt)  // Source
        body.append(littleEndian: gsi)
        body.append(littleEndian: flags)
    }

    /// Section 5.2.12.7: LINT1 of every processor is its NMI input.
    private static func appendLocalAPICNMI(to body: inout [UInt8]) {
        body.append(4)  // Type
        body.append(6)  // Length
        body.append(0xFF)  // ACPI Processor UID: all
        body.append(littleEndian: InterruptFlags.conformsToBus)
        body.append(1)  // Local APIC LINT#
    }
}
