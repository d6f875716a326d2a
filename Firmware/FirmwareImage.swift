/// What the guest finds where a PC has its BIOS. There is no code in it: only tables.
public struct FirmwareImage: Sendable, Equatable {
    /// Guest physical address of the first byte: `PlatformMap.firmwareAddress`.
    public let address: UInt64
    /// They end below `PlatformMap.generationID`, which is the caller's to fill.
    public let bytes: [UInt8]
    /// Guest physical address of the ACPI Root System Description Pointer, for `acpi_rsdp_addr` of Linux's boot
    /// parameters and `rsdp_paddr` of PVH's start info.
    public let rsdpAddress: UInt64
    /// Guest physical address of the MP floating pointer structure.
    public let mpAddress: UInt64
}

/// The ACPI tables (ACPI 6.5) and the MP table (MP 1.4) that describe a machine of this shape to its guest.
///
/// A pure function: equal shapes give equal images. The caller copies the image into guest memory before the first
/// instruction runs and marks its range reserved in the guest's memory map.
///
/// - Throws: `FirmwareError` for a shape that has too many processors or devices, or whose virtio windows overlap or
///   use what the platform has already given away. Windows are not compared with guest memory, which this module does
///   not know.
public func makeFirmware(for shape: MachineShape) throws(FirmwareError) -> FirmwareImage {
    try shape.validate()
    let acpi = ACPITables(for: shape)
    guard acpi.bytes.count <= ACPITables.capacity else {
        throw .tablesTooLarge(capacity: ACPITables.capacity)
    }
    let mpAddress = PlatformMap.mpFloatingPointerAddress
    var bytes = acpi.bytes
    bytes.append(zeros: ACPITables.capacity - bytes.count)
    bytes += MPTable.floatingPointer(to: mpAddress + UInt64(MPTable.floatingPointerLength))
    bytes += MPTable(processorCount: shape.processorCount).configurationTable
    return FirmwareImage(
        address: PlatformMap.firmwareAddress, bytes: bytes, rsdpAddress: acpi.rsdpAddress, mpAddress: mpAddress)
}
