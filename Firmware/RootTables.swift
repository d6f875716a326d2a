/// The two tables that lead to all others.
enum RootTables {
    /// RSDP's size since ACPI 2.0.
    static let rootPointerLength = 36

    /// The Root System Description Pointer (ACPI 6.5, section 5.2.5.3). It has no RSDT: the XSDT supersedes it.
    static func rootPointer(xsdt: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(ascii: "RSD PTR ", length: 8)
        bytes.append(0)  // Checksum, of the first 20 bytes
        bytes.append(ascii: "SVMM", length: 6)  // OEMID
        bytes.append(2)  // Revision
        bytes.append(littleEndian: 0 as UInt32)  // RsdtAddress
        bytes[8] = bytes.checksum
        bytes.append(littleEndian: UInt32(rootPointerLength))
        bytes.append(littleEndian: xsdt)
        bytes.append(0)  // Extended Checksum, of all bytes
        bytes.append(zeros: 3)
        bytes[32] = bytes.checksum
        return bytes
    }

    /// The Extended System Description Table (ACPI 6.5, section 5.2.8).
    static func extendedSystemDescriptionTable(entries: [UInt64]) -> [UInt8] {
        var body: [UInt8] = []
        for entry in entries {
            body.append(littleEndian: entry)
        }
        return SystemDescriptionTable(signature: "XSDT", revision: 1, body: body).bytes
    }
}
