import Firmware
import Testing

@Suite("Port ranges")
struct PortRangeTests {
    /// First port and count. Those of the timer, the interrupt controllers and the speaker are KVM's; the i8042's are fixed too.
    private static let ranges: [(port: UInt16, count: UInt16)] = [
        (PlatformMap.serialPort, PlatformMap.serialPortLength),
        (PlatformMap.clockPort, PlatformMap.clockPortLength),
        (PlatformMap.pvpanicPort, PlatformMap.pvpanicPortLength),
        (PlatformMap.pm1aEventBlock, UInt16(PlatformMap.pm1EventLength)),
        (PlatformMap.pm1aControlBlock, UInt16(PlatformMap.pm1ControlLength)),
        (PlatformMap.gpe0Block, UInt16(PlatformMap.gpe0Length)),
        (PlatformMap.smiCommandPort, 1), (PlatformMap.resetPort, 1),
        (0x20, 2), (0xA0, 2), (0x4D0, 2), (0x40, 4), (0x61, 1), (0x60, 1), (0x64, 1),
    ]

    @Test("no two devices have the same port")
    func overlap() {
        let ascending = Self.ranges.sorted { $0.port < $1.port }
        for (lower, upper) in zip(ascending, ascending.dropFirst()) {
            #expect(lower.count > 0 && lower.port + lower.count <= upper.port, "0x\(String(upper.port, radix: 16))")
        }
    }

    @Test("the ports of ACPI's hardware are kept from other devices")
    func reserved() throws {
        let dsdt = try GuestView(processors: 1).table("DSDT")
        let blocks: [(UInt16, UInt8)] = [(0x600, 4), (0x604, 2), (0x620, 2), (0xB2, 1), (0xCF9, 1)]
        for (port, count) in blocks {
            let bytes = [UInt8(port & 0xFF), UInt8(port >> 8)]
            #expect(dsdt.contains([0x47, 0x01] + bytes + bytes + [0x01, count]), "0x\(String(port, radix: 16))")
        }
    }
}
