extension AML {
    /// PNP0C02, motherboard resources: the ports of ACPI's fixed hardware, which no other device may be given.
    static var motherboard: AML {
        .device("MBRD", [
            .name("_HID", .eisaID("PNP0C02")),
            .name("_UID", .integer(0)),
            .name("_CRS", .resourceTemplate([
                .ports(PlatformMap.pm1aEventBlock, length: UInt16(PlatformMap.pm1EventLength)),
                .ports(PlatformMap.pm1aControlBlock, length: UInt16(PlatformMap.pm1ControlLength)),
                .ports(PlatformMap.gpe0Block, length: UInt16(PlatformMap.gpe0Length)),
                .ports(PlatformMap.smiCommandPort, length: 1),
                .ports(PlatformMap.resetPort, length: 1),
            ])),
        ])
    }

    /// The values for SLP_TYPa and SLP_TYPb that enter S5, soft off, and two reserved ones (ACPI 6.5, section 7.4.2).
    /// It is the only sleeping state.
    static var softOff: AML {
        .name("_S5", .package([.integer(UInt64(PlatformMap.sleepTypeS5)), .integer(0), .integer(0), .integer(0)]))
    }
}
