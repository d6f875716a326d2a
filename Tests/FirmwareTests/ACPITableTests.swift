import Firmware
import Testing

@Suite("ACPI tables")
struct ACPITableTests {
    static let shapes = [(1, 0), (2, 4), (64, 18)]

    @Test("the image starts where a BIOS does and ends below 1 MiB", arguments: shapes)
    func placement(processors: Int, virtioDevices: Int) throws {
        let image = try GuestView(processors: processors, virtioDevices: virtioDevices).image
        #expect(image.address == 0xE0000)
        #expect(image.bytes.count <= 0x20000)
        #expect(image.rsdpAddress % 16 == 0)
        #expect((0xF0000...0xFFFF0).contains(image.mpAddress))
    }

    @Test("every table adds up to zero and is exactly as long as it says", arguments: shapes)
    func checksums(processors: Int, virtioDevices: Int) throws {
        let guest = try GuestView(processors: processors, virtioDevices: virtioDevices)
        let tables = try guest.tables()
        #expect(Set(tables.keys) == ["XSDT", "FACP", "FACS", "DSDT", "APIC"])
        for (signature, table) in tables where signature != "FACS" {
            #expect(table.sum == 0, "\(signature)")
            #expect(String(decoding: table[10..<16], as: UTF8.self) == "SVMM  ", "\(signature)")
        }
    }

    @Test("the RSDP is the only one in the search range and has both checksums")
    func rootPointer() throws {
        let guest = try GuestView(processors: 2)
        #expect(try guest.search(for: "RSD PTR ", from: 0xE0000) == [guest.image.rsdpAddress])
        let rsdp = try guest.bytes(at: guest.image.rsdpAddress, count: 36)
        #expect(Array(rsdp[0..<20]).sum == 0)
        #expect(rsdp.sum == 0)
        #expect(rsdp[15] == 2)
        #expect(rsdp.integer(UInt32.self, at: 16) == 0)
        #expect(rsdp.integer(UInt32.self, at: 20) == 36)
    }

    @Test("the FADT holds the fixed hardware", arguments: [
        (45, 1, 4),  // Preferred_PM_Profile
        (46, 2, 9),  // SCI_INT
        (48, 4, 0xB2),  // SMI_CMD
        (52, 1, 2),  // ACPI_ENABLE
        (53, 1, 3),  // ACPI_DISABLE
        (56, 4, 0x600),  // PM1a_EVT_BLK
        (60, 4, 0),
        (64, 4, 0x604),  // PM1a_CNT_BLK
        (68, 4, 0), (72, 4, 0), (76, 4, 0),
        (80, 4, 0x620),  // GPE0_BLK
        (84, 4, 0),
        (88, 1, 4),  // PM1_EVT_LEN
        (89, 1, 2),  // PM1_CNT_LEN
        (90, 1, 0), (91, 1, 0),
        (92, 1, 2),  // GPE0_BLK_LEN
        (93, 1, 0), (94, 1, 0),
        (96, 2, 0xFFF), (98, 2, 0xFFF),
        (108, 1, 0x32),  // CENTURY
        (109, 2, 0b100),  // IAPC_BOOT_ARCH: no VGA
        (112, 4, 0x1465),  // WBINVD, PROC_C1, SLP_BUTTON, FIX_RTC, RESET_REG_SUP, HEADLESS
        (116, 4, 0x0100_0801), (120, 8, 0xCF9),  // RESET_REG
        (128, 1, 6),  // RESET_VALUE
        (131, 1, 3),  // Minor version
        (132, 8, 0),  // X_FIRMWARE_CTRL
        (148, 4, 0x0200_2001), (152, 8, 0x600),  // X_PM1a_EVT_BLK
        (160, 4, 0), (164, 8, 0),
        (172, 4, 0x0200_1001), (176, 8, 0x604),  // X_PM1a_CNT_BLK
        (184, 4, 0), (188, 8, 0), (196, 4, 0), (200, 8, 0), (208, 4, 0), (212, 8, 0),
        (220, 4, 0x0100_1001), (224, 8, 0x620),  // X_GPE0_BLK
        (232, 4, 0), (236, 8, 0), (244, 4, 0), (248, 8, 0), (256, 4, 0), (260, 8, 0),
    ] as [(Int, Int, UInt64)])
    func fixedHardware(offset: Int, size: Int, expected: UInt64) throws {
        let fadt = try GuestView(processors: 1).table("FACP")
        #expect(fadt.count == 276)
        #expect(fadt[8] == 6)
        let value = fadt[offset..<offset + size].reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        #expect(value == expected)
    }

    @Test("the FADT points to the DSDT twice and to the FACS once")
    func pointers() throws {
        let guest = try GuestView(processors: 1)
        let fadt = try guest.table("FACP")
        let dsdt = fadt.integer(UInt32.self, at: 40)
        #expect(UInt64(dsdt) == fadt.integer(UInt64.self, at: 140))
        #expect(try guest.bytes(at: UInt64(dsdt), count: 4) == Array("DSDT".utf8))
        let facs = fadt.integer(UInt32.self, at: 36)
        #expect(facs % 64 == 0)
        let table = try guest.table(at: UInt64(facs))
        #expect(table.count == 64)
        #expect(table[32] == 2)
    }

    @Test("the MADT has one enabled local APIC for each processor", arguments: [1, 2, 64])
    func localAPICs(processors: Int) throws {
        let madt = try GuestView(processors: processors).table("APIC")
        #expect(madt.integer(UInt32.self, at: 36) == 0xFEE0_0000)
        #expect(madt.integer(UInt32.self, at: 40) == 1)
        let entries = madtEntries(madt)
        let localAPICs = entries.filter { $0[0] == 0 }
        #expect(localAPICs == (0..<processors).map { [0, 8, UInt8($0), UInt8($0), 1, 0, 0, 0] })
    }

    @Test("beside processors, the MADT has one I/O APIC, the SCI's override and the NMI input")
    func interruptControllers() throws {
        let entries = madtEntries(try GuestView(processors: 2).table("APIC")).filter { $0[0] != 0 }
        #expect(entries == [
            [1, 12, 0, 0, 0x00, 0x00, 0xC0, 0xFE, 0, 0, 0, 0],
            [2, 10, 0, 9, 9, 0, 0, 0, 0b1101, 0],
            [4, 6, 0xFF, 0, 0, 1],
        ])
    }

    @Test("the DSDT names each fixed device, every processor and every virtio window")
    func devices() throws {
        let dsdt = try GuestView(processors: 3, virtioDevices: 2).table("DSDT")
        #expect(dsdt[8] == 2)
        for name in ["_SB_", "MBRD", "COM1", "RTC_", "PEVT", "VGEN", "C000", "C002", "V000", "V001", "_S5_"] {
            #expect(dsdt.contains(Array(name.utf8)), "\(name)")
        }
        for name in ["C003", "V002"] {
            #expect(!dsdt.contains(Array(name.utf8)), "\(name)")
        }
        let softOff: [UInt8] = [0x12, 0x07, 0x04, 0x0A, 0x05, 0, 0, 0]
        #expect(dsdt.contains(Array("_S5_".utf8) + softOff))
    }

    @Test("the interrupt of a window is exclusive unless two windows have it")
    func sharedInterrupts() throws {
        let shape = MachineShape(processorCount: 1, virtioDevices: [
            VirtioWindow(address: 0xD000_0000, gsi: 16),
            VirtioWindow(address: 0xD000_1000, gsi: 17),
            VirtioWindow(address: 0xD000_2000, gsi: 17),
        ])
        let dsdt = try GuestView(makeFirmware(for: shape)).table("DSDT")
        #expect(dsdt.contains([0x89, 0x06, 0x00, 0b0011, 0x01, 16, 0, 0, 0]))
        #expect(dsdt.contains([0x89, 0x06, 0x00, 0b1011, 0x01, 17, 0, 0, 0]))
        #expect(!dsdt.contains([0x89, 0x06, 0x00, 0b0011, 0x01, 17, 0, 0, 0]))
    }

    @Test("equal shapes have equal images, and the order of windows is kept")
    func determinism() throws {
        let shape = MachineShape.sample(processors: 4, virtioDevices: 6)
        #expect(try makeFirmware(for: shape) == makeFirmware(for: shape))
        var reversed = shape
        reversed.virtioDevices.reverse()
        #expect(try makeFirmware(for: shape) != makeFirmware(for: reversed))
    }

    private func madtEntries(_ madt: [UInt8]) -> [[UInt8]] {
        var entries: [[UInt8]] = []
        var offset = 44
        while offset < madt.count {
            let length = Int(madt[offset + 1])
            entries.append(Array(madt[offset..<offset + length]))
            offset += length
        }
        return entries
    }
}
