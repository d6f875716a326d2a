extension AML {
    /// LNRO0005: virtio devices on the MMIO transport, as Linux's driver virtio_mmio finds them.
    static func virtioDevices(_ windows: [VirtioWindow]) -> [AML] {
        let users = windows.reduce(into: [:]) { $0[$1.gsi, default: 0] += 1 }
        return windows.enumerated().map { index, window in
            .device(NameSegment(letter: "V", index: index), [
                .name("_HID", .string("LNRO0005")),
                .name("_UID", .integer(UInt64(index))),
                .name("_CCA", .integer(1)),  // DMA is cache coherent (section 6.2.17)
                .name("_CRS", .resourceTemplate([
                    .memory32Fixed(UInt32(window.address), length: UInt32(window.size)),
                    .interrupt(window.gsi, shared: users[window.gsi, default: 0] > 1),
                ])),
            ])
        }
    }
}
