import Firmware

/// The PC's reset control register at port 0xCF9, which the FADT names as RESET_REG.
public final class ResetControl: PortDevice {
    private let report: MachineEventHandler

    public init(report: @escaping MachineEventHandler) {
        self.report = report
    }

    public func read(offset: UInt16, size: Int) -> UInt32 { 0 }

    public func write(offset: UInt16, size: Int, value: UInt32) {
        // Bit 2 resets the processor, bit 1 says how thoroughly.
        if value & 0x04 != 0 { report(.reset) }
    }
}

/// What is left of the keyboard controller (i8042) at ports 0x60 and 0x64: its reset line. There is no keyboard.
public final class KeyboardController: PortDevice {
    /// The device's ports, seen from 0x60; those between belong to the timer, which KVM answers.
    public static let dataPort: UInt16 = 0x60
    public static let commandPort: UInt16 = 0x64
    private static let pulseReset: UInt32 = 0xFE

    private let report: MachineEventHandler

    public init(report: @escaping MachineEventHandler) {
        self.report = report
    }

    /// Status: both buffers are empty. So whoever waits before a command goes on at once.
    public func read(offset: UInt16, size: Int) -> UInt32 { 0 }

    public func write(offset: UInt16, size: Int, value: UInt32) {
        if value & 0xFF == Self.pulseReset { report(.reset) }
    }
}
