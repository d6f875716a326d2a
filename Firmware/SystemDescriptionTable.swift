/// A system description table: the header that all ACPI tables but RSDP and FACS share, and what follows it
/// (ACPI 6.5, section 5.2.6).
struct SystemDescriptionTable {
    /// DESCRIPTION_HEADER's size.
    static let headerLength = 36

    var signature: StaticString
    var revision: UInt8
    var body: [UInt8]

    /// The table as the guest reads it.
    var bytes: [UInt8] {
        var table: [UInt8] = []
        table.reserveCapacity(Self.headerLength + body.count)
        table.append(ascii: signature, length: 4)
        table.append(littleEndian: UInt32(Self.headerLength + body.count))
        table.append(revision)
        table.append(0)  // Checksum
        table.append(ascii: "SVMM", length: 6)  // OEMID
        table.append(ascii: "SVMM", length: 8)  // OEM Table ID
        table.append(littleEndian: 1 as UInt32)  // OEM Revision
        table.append(ascii: "SVMM", length: 4)  // Creator ID
        table.append(littleEndian: 1 as UInt32)  // Creator Revision
        table.append(contentsOf: body)
        table[9] = table.checksum
        return table
    }
}
