extension AML {
    /// The virtual machine generation ID (Microsoft, "Virtual Machine Generation ID", 2012): an identifier in memory
    /// that no two machines have, and that changes when a machine goes on from a saved state.
    ///
    /// Systems know the device by its _CID, Linux's driver vmgenid too, or by its _DDN; the _HID is the vendor's own.
    /// ADDR is the identifier's address, the low 32 bits before the high ones.
    static var generationID: AML {
        let address = PlatformMap.generationID
        return .device("VGEN", [
            .name("_HID", .string("SVMM0001")),
            .name("_CID", .string("VM_Gen_Counter")),
            .name("_DDN", .string("VM_Gen_Counter")),
            .name("ADDR", .package([.integer(address & 0xFFFF_FFFF), .integer(address >> 32)])),
        ])
    }

    /// The method that runs at the event `PlatformMap.generationEvent`, and passes it on: 0x80 means that the
    /// identifier has changed.
    ///
    /// The event is edge triggered (_Exx rather than _Lxx, ACPI 6.5, section 5.6.4.1): the guest clears its status
    /// before it runs the method, so that a further change in the meantime is not lost.
    static var generationEvent: AML {
        let name = NameSegment(event: PlatformMap.generationEvent)
        return .scope("_GPE", [.method(name, [.notify("_SB", "VGEN", 0x80)])])
    }
}
