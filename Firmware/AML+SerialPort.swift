extension AML {
    /// PNP0501: COM1, a 16550A.
    static var serialPort: AML {
        .device("COM1", [
            .name("_HID", .eisaID("PNP0501")),
            .name("_UID", .integer(1)),
            .name("_CRS", .resourceTemplate([
                .ports(PlatformMap.serialPort, length: PlatformMap.serialPortLength),
                .isaInterrupt(PlatformMap.serialGSI),
            ])),
        ])
    }
}
