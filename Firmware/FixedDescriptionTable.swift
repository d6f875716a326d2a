/// The Fixed ACPI Description Table, and the FACS it points to: ACPI's fixed hardware.
enum FixedDescriptionTable {
    /// Boot architecture flags (ACPI 6.5, section 5.2.9.3).
    ///
    /// LEGACY_DEVICES stays clear: the DSDT names every device. 8042 stays clear: there is none, and Linux does not
    /// probe for one. CMOS_RTC_NOT_PRESENT stays clear: there is one. MSI_NOT_SUPPORTED stays clear: local APICs can
    /// receive them.
    private enum BootFlags {
        static let vgaNotPresent: UInt16 = 1 << 2
    }

    /// Fixed feature flags (ACPI 6.5, table 5.10).
    ///
    /// PWR_BUTTON stays clear, which means that there is a power button in the fixed registers. TMR_VAL_EXT and
    /// USE_PLATFORM_CLOCK stay clear: there is no PM timer.
    private enum Flags {
        /// WBINVD flushes the caches and keeps them coherent.
        static let wbinvd: UInt32 = 1 << 0
        /// The C1 state, HLT, is supported by all processors.
        static let procC1: UInt32 = 1 << 2
        /// There is no sleep button in the fixed registers.
        static let slpButton: UInt32 = 1 << 5
        /// The clock's wake status is not in the fixed registers.
        static let fixRTC: UInt32 = 1 << 6
        static let resetRegSup: UInt32 = 1 << 10
        static let headless: UInt32 = 1 << 12
    }

    /// FADT, version 6.3 (ACPI 6.5, section 5.2.9).
    ///
    /// Addresses that have both a 32-bit and a 64-bit field are given in both, equal, and the length of a block agrees
    /// with the bit width of its 64-bit field: ACPICA warns of every difference. FIRMWARE_CTRL is the exception,
    /// because ACPICA loads the FACS once for each of the two fields.
    static func bytes(dsdt: UInt64, facs: UInt64) -> [UInt8] {
        var body: [UInt8] = []
        body.append(littleEndian: UInt32(facs))  // FIRMWARE_CTRL
        body.append(littleEndian: UInt32(dsdt))  // DSDT
        body.append(0)  // Reserved
        body.append(4)  // Preferred_PM_Profile: enterprise server
        body.append(littleEndian: UInt16(PlatformMap.sciGSI))  // SCI_INT
        body.append(littleEndian: UInt32(PlatformMap.smiCommandPort))  // SMI_CMD
        body.append(PlatformMap.acpiEnable)
        body.append(PlatformMap.acpiDisable)
        body.append(0)  // S4BIOS_REQ
        body.append(0)  // PSTATE_CNT
        body.append(littleEndian: UInt32(PlatformMap.pm1aEventBlock))  // PM1a_EVT_BLK
        body.append(littleEndian: 0 as UInt32)  // PM1b_EVT_BLK
        body.append(littleEndian: UInt32(PlatformMap.pm1aControlBlock))  // PM1a_CNT_BLK
        body.append(littleEndian: 0 as UInt32)  // PM1b_CNT_BLK
        body.append(littleEndian: 0 as UInt32)  // PM2_CNT_BLK
        body.append(littleEndian: 0 as UInt32)  // PM_TMR_BLK
        body.append(littleEndian: UInt32(PlatformMap.gpe0Block))  // GPE0_BLK
        body.append(littleEndian: 0 as UInt32)  // GPE1_BLK
        body.append(PlatformMap.pm1EventLength)  // PM1_EVT_LEN
        body.append(PlatformMap.pm1ControlLength)  // PM1_CNT_LEN
        body.append(0)  // PM2_CNT_LEN
        body.append(0)  // PM_TMR_LEN
        body.append(PlatformMap.gpe0Length)  // GPE0_BLK_LEN
        body.append(0)  // GPE1_BLK_LEN
        body.append(0)  // GPE1_BASE
        body.append(0)  // CST_CNT
        body.append(littleEndian: 0x0FFF as UInt16)  // P_LVL2_LAT: above 100 us, no C2
        body.append(littleEndian: 0x0FFF as UInt16)  // P_LVL3_LAT: above 1000 us, no C3
        body.append(littleEndian: 0 as UInt16)  // FLUSH_SIZE
        body.append(littleEndian: 0 as UInt16)  // FLUSH_STRIDE
        body.append(0)  // DUTY_OFFSET
        body.append(0)  // DUTY_WIDTH
        body.append(0)  // DAY_ALRM: alarms repeat daily
        body.append(0)  // MON_ALRM
        body.append(PlatformMap.clockCenturyRegister)  // CENTURY
        body.append(littleEndian: BootFlags.vgaNotPresent)  // IAPC_BOOT_ARCH
        body.append(0)  // Reserved
        body.append(littleEndian: Flags.wbinvd | Flags.procC1 | Flags.slpButton | Flags.fixRTC | Flags.resetRegSup
            | Flags.headless)
        body.append(contentsOf: GenericAddress.systemIO(PlatformMap.resetPort, length: 1, access: .byte))  // RESET_REG
        body.append(PlatformMap.resetValue)  // RESET_VALUE
        body.append(littleEndian: 0 as UInt16)  // ARM_BOOT_ARCH
        body.append(3)  // FADT Minor Version
        body.append(littleEndian: 0 as UInt64)  // X_FIRMWARE_CTRL
        body.append(littleEndian: dsdt)  // X_DSDT
        body.append(contentsOf: GenericAddress.systemIO(
            PlatformMap.pm1aEventBlock, length: PlatformMap.pm1EventLength, access: .word))  // X_PM1a_EVT_BLK
        body.append(contentsOf: GenericAddress.absent)  // X_PM1b_EVT_BLK
        body.append(contentsOf: GenericAddress.systemIO(
            PlatformMap.pm1aControlBlock, length: PlatformMap.pm1ControlLength, access: .word))  // X_PM1a_CNT_BLK
        body.append(contentsOf: GenericAddress.absent)  // X_PM1b_CNT_BLK
        body.append(contentsOf: GenericAddress.absent)  // X_PM2_CNT_BLK
        body.append(contentsOf: GenericAddress.absent)  // X_PM_TMR_BLK
        body.append(contentsOf: GenericAddress.systemIO(
            PlatformMap.gpe0Block, length: PlatformMap.gpe0Length, access: .byte))  // X_GPE0_BLK
        body.append(contentsOf: GenericAddress.absent)  // X_GPE1_BLK
        body.append(contentsOf: GenericAddress.absent)  // SLEEP_CONTROL_REG
        body.append(contentsOf: GenericAddress.absent)  // SLEEP_STATUS_REG
        body.append(littleEndian: 0 as UInt64)  // Hypervisor Vendor Identity
        return SystemDescriptionTable(signature: "FACP", revision: 6, body: body).bytes
    }

    /// The Firmware ACPI Control Structure (ACPI 6.5, section 5.2.10): no waking vector, an unowned global lock. It is
    /// aligned to 64 bytes in memory and has no checksum.
    static func firmwareControlStructure() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(ascii: "FACS", length: 4)
        bytes.append(littleEndian: 64 as UInt32)  // Length
        bytes.append(zeros: 24)  // Hardware Signature to X_Firmware_Waking_Vector
        bytes.append(2)  // Version
        bytes.append(zeros: 31)
        return bytes
    }
}
