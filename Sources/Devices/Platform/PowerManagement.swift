import Firmware
import Synchronization

/// ACPI fixed hardware (ACPI 6.5, section 4.8): PM1a status, enable and control, the SMI command port, the power button, and the
/// general-purpose events, which have the same interrupt.
public final class PowerManagement: Sendable {
    struct State {
        var registers = PowerManagementState()
        /// The level last given to the interrupt line.
        var line = false
    }

    static let powerButton: UInt16 = 1 << 8  // PWRBTN_STS, PWRBTN_EN
    static let sciEnable: UInt16 = 1 << 0  // SCI_EN
    private static let sleepTypeShift: UInt16 = 10  // SLP_TYPx
    private static let sleepTypeMask: UInt16 = 7
    static let sleepEnable: UInt16 = 1 << 13  // SLP_EN

    let state = Mutex(State())
    let setInterrupt: InterruptLevelHandler
    private let report: MachineEventHandler

    /// - Parameter setInterrupt: the level of the system control interrupt.
    public init(setInterrupt: @escaping InterruptLevelHandler, report: @escaping MachineEventHandler) {
        self.setInterrupt = setInterrupt
        self.report = report
    }

    /// Presses the power button once. False when the guest has not asked to be told of it.
    @discardableResult
    public func pressPowerButton() -> Bool {
        state.withLock { state in
            state.registers.status |= Self.powerButton
            updateLine(&state)
            return state.registers.isACPIEnabled && state.registers.enable & Self.powerButton != 0
        }
    }

    /// Whether the guest has switched from legacy mode to ACPI mode (SCI_EN).
    public var isACPIEnabled: Bool {
        state.withLock { $0.registers.isACPIEnabled }
    }

    /// Sets the interrupt line if what the registers hold has changed its level.
    func updateLine(_ state: inout State) {
        let level = state.registers.wantsInterrupt
        if level != state.line {
            state.line = level
            setInterrupt(level)
        }
    }

    /// The registers as bytes from PM1a_STS on.
    private static func bytes(_ registers: PowerManagementState) -> [UInt8] {
        [registers.status, registers.enable, registers.control].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    }

    /// What a read of 1, 2 or 4 bytes finds in a block of these bytes; behind it are zeros.
    static func value(of bytes: [UInt8], offset: Int, size: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<size where offset + index < bytes.count {
            value |= UInt32(bytes[offset + index]) << UInt32(8 * index)
        }
        return value
    }

    fileprivate func readRegisters(offset: Int, size: Int) -> UInt32 {
        Self.value(of: state.withLock { Self.bytes($0.registers) }, offset: offset, size: size)
    }

    fileprivate func writeRegisters(offset: Int, size: Int, value: UInt32) {
        let entersSoftOff = state.withLock { state in
            for index in 0..<size {
                writeByte(offset + index, UInt8(truncatingIfNeeded: value >> UInt32(8 * index)), &state.registers)
            }
            updateLine(&state)
            let type = state.registers.control >> Self.sleepTypeShift & Self.sleepTypeMask
            let sleeps = state.registers.control & Self.sleepEnable != 0
            state.registers.control &= ~Self.sleepEnable  // write-only: reads as zero
            return sleeps && type == UInt16(PlatformMap.sleepTypeS5)
        }
        if entersSoftOff { report(.powerOff) }
    }

    private func writeByte(_ offset: Int, _ value: UInt8, _ registers: inout PowerManagementState) {
        let shift = UInt16(8 * (offset & 1))
        let bits = UInt16(value) << shift
        let mask = UInt16(0xFF) << shift
        switch offset >> 1 {
        case 0: registers.status &= ~bits  // written ones clear
        case 1: registers.enable = registers.enable & ~mask | bits
        // SCI_EN is set and cleared through the SMI command port only.
        case 2: registers.control = registers.control & (~mask | Self.sciEnable) | bits & ~Self.sciEnable
        default: break
        }
    }

    fileprivate func command(_ value: UInt8) {
        state.withLock { state in
            switch value {
            case PlatformMap.acpiEnable: state.registers.control |= Self.sciEnable
            case PlatformMap.acpiDisable: state.registers.control &= ~Self.sciEnable
            default: break
            }
            updateLine(&state)
        }
    }

    /// The device at PM1a_EVT_BLK and PM1a_CNT_BLK, which lie side by side.
    public var registers: any PortDevice { Registers(owner: self) }
    /// The device at SMI_CMD.
    public var commandPort: any PortDevice { CommandPort(owner: self) }

    private final class Registers: PortDevice {
        let owner: PowerManagement
        init(owner: PowerManagement) { self.owner = owner }
        func read(offset: UInt16, size: Int) -> UInt32 { owner.readRegisters(offset: Int(offset), size: size) }
        func write(offset: UInt16, size: Int, value: UInt32) {
            owner.writeRegisters(offset: Int(offset), size: size, value: value)
        }
    }

    private final class CommandPort: PortDevice {
        let owner: PowerManagement
        init(owner: PowerManagement) { self.owner = owner }
        func read(offset: UInt16, size: Int) -> UInt32 { 0 }
        func write(offset: UInt16, size: Int, value: UInt32) { owner.command(UInt8(truncatingIfNeeded: value)) }
    }
}
