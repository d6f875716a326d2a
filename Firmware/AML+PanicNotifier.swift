extension AML {
    /// QEMU0001, pvpanic: one port. Linux's driver pvpanic-mmio takes the first I/O or memory resource.
    static var pvpanic: AML {
        .device("PEVT", [
            .name("_HID", .string("QEMU0001")),
            .name("_CRS", .resourceTemplate([
                .ports(PlatformMap.pvpanicPort, length: PlatformMap.pvpanicPortLength),
            ])),
            .name("_STA", .integer(0x0F)),  // Present, enabled, shown, functioning (section 6.3.7)
        ])
    }
}
