/// The Differentiated System Description Table: the devices that only firmware knows of (ACPI 6.5, section 5.2.11.1).
///
/// Each kind of device has a file of its own that extends `AML`. The only method is that of an event: nothing here
/// runs at boot.
enum DifferentiatedTable {
    /// Revision 2 makes AML integers 64 bits wide.
    static let revision: UInt8 = 2

    static func bytes(for shape: MachineShape) -> [UInt8] {
        let devices = AML.processors(count: shape.processorCount)
            + [.motherboard, .serialPort, .clock, .pvpanic, .generationID]
            + AML.virtioDevices(shape.virtioDevices)
        let definitionBlock = [AML.scope("_SB", devices), .generationEvent, .softOff]
        return SystemDescriptionTable(
            signature: "DSDT", revision: revision, body: definitionBlock.flatMap(\.bytes)
        ).bytes
    }
}
