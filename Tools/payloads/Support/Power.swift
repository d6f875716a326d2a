/// The ways to end the machine, and the ACPI registers behind the power button.
enum Power {
    static let status: UInt16 = 0x600
    static let enable: UInt16 = 0x602
    static let control: UInt16 = 0x604
    static let smiCommand: UInt16 = 0xB2
    static let resetControl: UInt16 = 0xCF9
    static let keyboardCommand: UInt16 = 0x64
    static let pvpanic: UInt16 = 0x505
    /// QEMU's isa-debug-exit, where a comparison run puts it.
    static let debugExit: UInt16 = 0x501

    static let buttonBit: UInt16 = 1 << 8
    static let sciEnabled: UInt16 = 1 << 0
    static let acpiEnable: UInt8 = 2

    /// Takes over the chipset's events as an operating system does, and has the button raise its one.
    static func listenToButton() {
        out8(smiCommand, acpiEnable)
        var deadline = Deadline()
        while in16(control) & sciEnabled == 0 {
            if deadline.passed { fail("SCI_EN never comes, PM1a_CNT \(hex: in16(control))") }
        }
        out16(status, buttonBit)
        out16(enable, buttonBit)
        if in16(enable) & buttonBit == 0 { fail("PWRBTN_EN does not stay set") }
    }

    /// Whether the button has been pressed since `listenToButton`.
    static var isButtonPressed: Bool { in16(status) & buttonBit != 0 }

    static func forgetButton() {
        out16(status, buttonBit)
        if isButtonPressed { fail("PWRBTN_STS does not clear") }
    }

    /// SLP_EN with SLP_TYP 5. Where there is no PM1a register QEMU's debug-exit port ends the machine with status 1.
    static func off() -> Never {
        out16(control, 0x2000 | 5 << 10)
        out16(debugExit, 0)
        stop()
    }

    static func reset() -> Never {
        out8(resetControl, 0x06)
        stop()
    }

    static func resetByKeyboardController() -> Never {
        out8(keyboardCommand, 0xFE)
        stop()
    }

    static func panic() -> Never {
        out8(pvpanic, 1)
        stop()
    }

    static func tripleFault() -> Never {
        store32(exceptionCount(), 1)
        undefinedInstruction()
        stop()
    }

    /// For ever, at CPL 3: `hlt` is not for user mode.
    static func stop() -> Never {
        while true { cpuPause() }
    }
}
