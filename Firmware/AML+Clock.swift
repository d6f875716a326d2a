extension AML {
    /// PNP0B00: the real-time clock.
    static var clock: AML {
        .device("RTC", [
            .name("_HID", .eisaID("PNP0B00")),
            .name("_CRS", .resourceTemplate([
                .ports(PlatformMap.clockPort, length: PlatformMap.clockPortLength),
                .isaInterrupt(PlatformMap.clockGSI),
            ])),
        ])
    }
}
