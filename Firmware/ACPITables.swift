/// All ACPI tables of a machine, laid out from `PlatformMap.firmwareAddress` on.
struct ACPITables {
    /// In bytes: they end where the MP floating pointer structure is.
    static let capacity = Int(PlatformMap.mpFloatingPointerAddress - PlatformMap.firmwareAddress)

    /// What lies at `PlatformMap.firmwareAddress`. The RSDP is first, so that a search finds it at once.
    let bytes: [UInt8]
    let rsdpAddress: UInt64

    init(for shape: MachineShape) {
        var layout = Layout()
        let rsdp = layout.place(Array(repeating: 0, count: RootTables.rootPointerLength), alignment: 16)
        let facs = layout.place(FixedDescriptionTable.firmwareControlStructure(), alignment: 64)
        let dsdt = layout.place(DifferentiatedTable.bytes(for: shape))
        let fadt = layout.place(FixedDescriptionTable.bytes(dsdt: dsdt, facs: facs))
        let madt = layout.place(MultipleAPICTable.bytes(processorCount: shape.processorCount))
        let xsdt = layout.place(RootTables.extendedSystemDescriptionTable(entries: [fadt, madt]))
        layout.bytes.replaceSubrange(0..<RootTables.rootPointerLength, with: RootTables.rootPointer(xsdt: xsdt))
        bytes = layout.bytes
        rsdpAddress = rsdp
    }

    private struct Layout {
        var bytes: [UInt8] = []

        /// Appends `table` at the next multiple of `alignment` and returns its guest physical address.
        mutating func place(_ table: [UInt8], alignment: Int = 16) -> UInt64 {
            while bytes.count % alignment != 0 {
                bytes.append(0)
            }
            defer { bytes.append(contentsOf: table) }
            return PlatformMap.firmwareAddress + UInt64(bytes.count)
        }
    }
}
