/// The tables of Intel's MultiProcessor Specification 1.4, for kernels without ACPI.
///
/// They say of processors and interrupts what the MADT says. Other devices have no place in them.
struct MPTable {
    /// The MP floating pointer structure's size.
    static let floatingPointerLength = 16

    private static let isaBus: UInt8 = 0
    private static let allLocalAPICs: UInt8 = 0xFF

    /// Interrupt types (table 4-10).
    private enum InterruptType: UInt8 {
        case int = 0
        case nmi = 1
        case extINT = 3
    }

    var processorCount: Int

    /// The MP floating pointer structure (section 4.1).
    static func floatingPointer(to configurationTable: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(ascii: "_MP_", length: 4)
        bytes.append(littleEndian: UInt32(configurationTable))
        bytes.append(UInt8(floatingPointerLength / 16))
        bytes.append(4)  // SPEC_REV: 1.4
        bytes.append(0)  // Checksum
        bytes.append(0)  // Feature byte 1: the configuration table is present
        bytes.append(zeros: 4)  // Feature byte 2: no IMCR, so virtual wire mode
        bytes[10] = bytes.checksum
        return bytes
    }

    /// The MP configuration table header and the base entries (sections 4.2 and 4.3).
    var configurationTable: [UInt8] {
        var entries: [[UInt8]] = []
        entries += (0..<processorCount).map { Self.processor(UInt8($0)) }
        entries.append(Self.bus())
        entries.append(Self.ioAPIC())
        entries += (0..<UInt8(PlatformMap.ioAPICPinCount)).map(Self.ioInterrupt)
        // KVM connects the 8259s to LINT0 of the bootstrap processor and delivers NMIs to LINT1 of all.
        entries.append(Self.localInterrupt(.extINT, localAPIC: 0, input: 0))
        entries.append(Self.localInterrupt(.nmi, localAPIC: Self.allLocalAPICs, input: 1))
        return Self.header(entryCount: entries.count, entries: entries.flatMap(\.self))
    }

    /// Section 4.2.
    private static func header(entryCount: Int, entries: [UInt8]) -> [UInt8] {
        let headerLength = 44
        var bytes: [UInt8] = []
        bytes.append(ascii: "PCMP", length: 4)
        bytes.append(littleEndian: UInt16(headerLength + entries.count))  // Base table length
        bytes.append(4)  // SPEC_REV: 1.4
        bytes.append(0)  // Checksum
        bytes.append(ascii: "SVMM", length: 8)  // OEM ID
        bytes.append(ascii: "SVMM", length: 12)  // Product ID
        bytes.append(littleEndian: 0 as UInt32)  // OEM table pointer
        bytes.append(littleEndian: 0 as UInt16)  // OEM table size
        bytes.append(littleEndian: UInt16(entryCount))
        bytes.append(littleEndian: PlatformMap.localAPICAddress)
        bytes.append(littleEndian: 0 as UInt16)  // Extended table length
        bytes.append(0)  // Extended table checksum
        bytes.append(0)  // Reserved
        bytes.append(contentsOf: entries)
        bytes[7] = bytes.checksum
        return bytes
    }

    /// Section 4.3.1. Signature and feature flags are a lower bound that holds for every host; systems read CPUID.
    private static func processor(_ index: UInt8) -> [UInt8] {
        let enabled: UInt8 = 1 << 0
        let bootstrap: UInt8 = 1 << 1
        var bytes: [UInt8] = [0]
        bytes.append(index)  // Local APIC ID
        bytes.append(PlatformMap.localAPICVersion)
        bytes.append(index == 0 ? enabled | bootstrap : enabled)
        bytes.append(littleEndian: 0x600 as UInt32)  // CPU signature: family 6
        bytes.append(littleEndian: (1 << 9 | 1 << 0) as UInt32)  // Feature flags: APIC, FPU
        bytes.append(zeros: 8)
        return bytes
    }

    /// Section 4.3.2.
    private static func bus() -> [UInt8] {
        var bytes: [UInt8] = [1]
        bytes.append(isaBus)
        bytes.append(ascii: "ISA", length: 6)
        return bytes
    }

    /// Section 4.3.3.
    private static func ioAPIC() -> [UInt8] {
        let usable: UInt8 = 1 << 0
        var bytes: [UInt8] = [2]
        bytes.append(PlatformMap.ioAPICID)
        bytes.append(PlatformMap.ioAPICVersion)
        bytes.append(usable)
        bytes.append(littleEndian: PlatformMap.ioAPICAddress)
        return bytes
    }

    /// Section 4.3.4: bus interrupt n is pin n, as KVM routes it. The ISA bus is given all 24, because Linux takes the
    /// interrupt number of a virtio_mmio.device= argument for one of these.
    private static func ioInterrupt(_ pin: UInt8) -> [UInt8] {
        typealias Flags = MultipleAPICTable.InterruptFlags
        var bytes: [UInt8] = [3]
        bytes.append(InterruptType.int.rawValue)
        bytes.append(littleEndian: UInt32(pin) == PlatformMap.sciGSI ? Flags.levelActiveHigh : Flags.edgeActiveHigh)
        bytes.append(isaBus)
        bytes.append(pin)  // Source bus IRQ
        bytes.append(PlatformMap.ioAPICID)
        bytes.append(pin)  // Destination I/O APIC INTIN#
        return bytes
    }

    /// Section 4.3.5.
    private static func localInterrupt(_ type: InterruptType, localAPIC: UInt8, input: UInt8) -> [UInt8] {
        var bytes: [UInt8] = [4]
        bytes.append(type.rawValue)
        bytes.append(littleEndian: MultipleAPICTable.InterruptFlags.conformsToBus)
        bytes.append(isaBus)
        bytes.append(0)  // Source bus IRQ
        bytes.append(localAPIC)
        bytes.append(input)  // Destination local APIC LINTIN#
        return bytes
    }
}
