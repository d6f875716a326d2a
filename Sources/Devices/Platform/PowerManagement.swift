import Firmware
import Synchronization

/// ACPI fixed hardware (ACPI 6.5, section 4.8): PM1a status, enable and control, the SMI command port, the power button.
public final class PowerManagement: Sendable {
    private struct State {
        var status: UInt16 = 0
        var enable: UInt16 = 0
        var control: UInt16 = 0
        var line = false
    }

    private static let powerButton: UInt16 = 1 << 8  // PWRBTN_STS, PWRBTN_EN
    private static let sciEnable: UInt16 = 1 << 0  // SCI_EN
    private static let sleepTypeShift: UInt16 = 10  // SLP_TYPx
    private static let sleepTypeMask: UInt16 = 7
    private static let sleepEnable: UInt16 = 1 << 13  // SLP_EN

    private let state = Mutex(State())
    private let setInterrupt: InterruptLevelHandler
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
            state.status |= Self.powerButton
            updateLine(&state)
            return state.line
        }
    }

    /// Whether the guest has switched from legacy mode to ACPI mode (SCI_EN).
    public var isACPIEnabled: Bool {
        state.withLock { $0.control & Self.sciEnable != 0 }
    }

    private func updateLine(_ state: inout State) {
        let level = state.control & Self.sciEnable != 0 && state.status & state.enable != 0
        if level != state.line {
            state.line = level
            setInterrupt(level)
        }
    }

    /// The registers as bytes from PM1a_STS on.
    private static func bytes(_ state: State) -> [UInt8] {
        [state.status, state.enable, state.control].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    }

    fileprivate func readRegisters(offset: Int, size: Int) -> UInt32 {
        let bytes = state.withLock { Self.bytes($0) }
        var value: UInt32 = 0
        for index in 0..<size where offset + index < bytes.count {
            value |= UInt32(bytes[offset + index]) << UInt32(8 * index)
        }
        return value
    }

    fileprivate func writeRegisters(offset: Int, size: Int, value: UInt32) {
        let entersSoftOff = state.withLock { state in
            for index in 0..<size {
                writeByte(offset + index, UInt8(truncatingIfNeeded: value >> UInt32(8 * index)), &state)
            }
            updateLine(&state)
            let type = state.control >> Self.sleepTypeShift & Self.sleepTypeMask
            let sleeps = state.control & Self.sleepEnable != 0
            state.control &= ~Self.sleepEnable  // write-only: reads as zero
            return sleeps && type == UInt16(PlatformMap.sleepTypeS5)
        }
        if entersSoftOff { report(.powerOff) }
    }

    private func writeByte(_ offset: Int, _ value: UInt8, _ state: inout State) {
        let shift = UInt16(8 * (offset & 1))
        let bits = UInt16(value) << shift
        let mask = UInt16(0xFF) << shift
        switch offset >> 1 {
        case 0: state.status &= ~bits  // written ones clear
        case 1: state.enable = state.enable & ~mask | bits
        // SCI_EN is set and cleared through the SMI command port only.
        case 2: state.control = state.control & (~mask | Self.sciEnable) | bits & ~Self.sciEnable
        default: break
        }
    }

    fileprivate func command(_ value: UInt8) {
        state.withLock { state in
            switch value {
            case PlatformMap.acpiEnable: state.control |= Self.sciEnable
            case PlatformMap.acpiDisable: state.control &= ~Self.sciEnable
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
