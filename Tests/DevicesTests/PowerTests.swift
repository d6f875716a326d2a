import Devices
import Firmware
import Synchronization
import Testing

/// What a device reports, in order.
final class EventLog: Sendable {
    private let events = Mutex<[MachineEvent]>([])
    private let lines = Mutex<[Bool]>([])
    var report: MachineEventHandler { { [self] event in events.withLock { $0.append(event) } } }
    var setLine: InterruptLevelHandler { { [self] level in lines.withLock { $0.append(level) } } }
    var all: [MachineEvent] { events.withLock { $0 } }
    var levels: [Bool] { lines.withLock { $0 } }
    var line: Bool { levels.last ?? false }
}

@Suite("Power management")
struct PowerTests {
    private let log: EventLog
    private let power: PowerManagement
    private let registers: any PortDevice

    init() {
        let log = EventLog()
        self.log = log
        power = PowerManagement(setInterrupt: log.setLine, report: log.report)
        registers = power.registers
    }

    private static let status: UInt16 = 0, enable: UInt16 = 2, control: UInt16 = 4
    private static let button: UInt32 = 1 << 8

    private func read(_ offset: UInt16) -> UInt32 { registers.read(offset: offset, size: 2) }
    private func write(_ offset: UInt16, _ value: UInt32) { registers.write(offset: offset, size: 2, value: value) }
    private func command(_ value: UInt8) { power.commandPort.write(offset: 0, size: 1, value: UInt32(value)) }

    @Test("the SMI command port switches ACPI mode on and off, and only it does")
    func enableACPI() {
        #expect(!power.isACPIEnabled && read(Self.control) == 0)
        write(Self.control, 1)
        #expect(!power.isACPIEnabled)
        command(PlatformMap.acpiEnable)
        #expect(power.isACPIEnabled && read(Self.control) == 1)
        write(Self.control, 0)
        #expect(power.isACPIEnabled)
        command(0x77)
        #expect(power.isACPIEnabled)
        command(PlatformMap.acpiDisable)
        #expect(!power.isACPIEnabled)
        #expect(power.commandPort.read(offset: 0, size: 1) == 0)
    }

    @Test("the power button interrupts only when ACPI mode and its enable bit are on",
          arguments: [(false, false), (false, true), (true, false), (true, true)])
    func button(isACPI: Bool, isEnabled: Bool) {
        if isACPI { command(PlatformMap.acpiEnable) }
        if isEnabled { write(Self.enable, Self.button) }
        #expect(power.pressPowerButton() == (isACPI && isEnabled))
        #expect(log.line == (isACPI && isEnabled))
        #expect(read(Self.status) == Self.button, "the status shows it in any case")
        // Switched on later, the interrupt comes then.
        command(PlatformMap.acpiEnable)
        write(Self.enable, Self.button)
        #expect(log.line)
        write(Self.status, Self.button)
        #expect(!log.line && read(Self.status) == 0)
        #expect(log.levels == [true, false])
        #expect(log.all.isEmpty)
    }

    @Test("status bits are cleared by writing ones and kept by writing zeros")
    func writeOneToClear() {
        power.pressPowerButton()
        write(Self.status, 0)
        #expect(read(Self.status) == Self.button)
        write(Self.status, ~Self.button & 0xFFFF)
        #expect(read(Self.status) == Self.button)
        write(Self.status, 0xFFFF)
        #expect(read(Self.status) == 0)
    }

    @Test("registers are read and written by byte, word and double word")
    func widths() {
        command(PlatformMap.acpiEnable)
        registers.write(offset: 3, size: 1, value: 0x01)
        #expect(read(Self.enable) == Self.button)
        power.pressPowerButton()
        #expect(registers.read(offset: 0, size: 4) == Self.button << 16 | Self.button)
        #expect(registers.read(offset: 1, size: 1) == 1)
        #expect(registers.read(offset: 2, size: 4) == 1 << 16 | Self.button)
        registers.write(offset: 1, size: 1, value: 0x01)
        #expect(read(Self.status) == 0)
        power.pressPowerButton()
        registers.write(offset: 0, size: 4, value: Self.button)
        #expect(registers.read(offset: 0, size: 4) == 0)
        #expect(registers.read(offset: 4, size: 4) == 1, "nothing lies behind the control register")
        #expect(registers.read(offset: 5, size: 4) == 0)
        registers.write(offset: 4, size: 4, value: 0xFFFF_0000)
        registers.write(offset: 6, size: 4, value: .max)
        registers.write(offset: .max, size: 4, value: .max)
        #expect(registers.read(offset: .max, size: 4) == 0)
    }

    @Test("only S5 with SLP_EN powers off", arguments: 0...7 as ClosedRange<UInt32>)
    func sleepType(type: UInt32) {
        write(Self.control, type << 10)
        #expect(log.all.isEmpty)
        write(Self.control, type << 10 | 1 << 13)
        #expect(log.all == (type == UInt32(PlatformMap.sleepTypeS5) ? [.powerOff] : []))
        #expect(read(Self.control) == type << 10, "SLP_EN reads as zero")
    }

    @Test("S5 can be entered by a write of the upper byte alone")
    func sleepByte() {
        registers.write(offset: 5, size: 1, value: 0x20 | UInt32(PlatformMap.sleepTypeS5) << 2)
        #expect(log.all == [.powerOff])
    }
}

@Suite("Ports")
struct PortTests {
    private let log = EventLog()

    @Test("a port that nobody owns reads all ones and takes anything")
    func unowned() {
        var bus = PortBus()
        bus.attach(ResetControl(report: log.report), at: 0xCF9, count: 1)
        for port in [0, 0xCF8, 0xCFA, .max] as [UInt16] {
            #expect(bus.read(port: port, size: 4) == .max)
            bus.write(port: port, size: 4, value: .max)
        }
        #expect(log.all.isEmpty)
        #expect(bus.read(port: 0xCF9, size: 1) == 0)
    }

    @Test("a device sees offsets from its first port, up to the last port of all")
    func offsets() {
        var bus = PortBus()
        let uart = SerialHarness()
        bus.attach(uart.port, at: 0xFFF8, count: 8)
        bus.write(port: 0xFFFF, size: 1, value: 0x42)
        #expect(uart[UART.scr] == 0x42)
        #expect(bus.read(port: 0xFFFF, size: 1) == 0x42)
        #expect(bus.read(port: 0xFFF7, size: 1) == .max)
    }

    @Test("the reset register resets with bit 2 alone", arguments: 0...15 as ClosedRange<UInt32>)
    func resetControl(value: UInt32) {
        ResetControl(report: log.report).write(offset: 0, size: 1, value: value)
        #expect(log.all == (value & 4 != 0 ? [.reset] : []))
    }

    @Test("the keyboard controller resets with the pulse command, and is never busy")
    func keyboard() {
        let keyboard = KeyboardController(report: log.report)
        #expect(keyboard.read(offset: 0, size: 1) & 0x02 == 0)
        for value in 0...255 as ClosedRange<UInt32> where value != 0xFE {
            keyboard.write(offset: 0, size: 1, value: value)
        }
        #expect(log.all.isEmpty)
        keyboard.write(offset: 0, size: 1, value: 0xFE)
        #expect(log.all == [.reset])
    }

    @Test("a panic is reported; a crash kernel that takes over is not one", arguments: [
        (1, true), (2, false), (3, true), (0, false), (0xFC, false),
    ] as [(UInt32, Bool)])
    func panicNotifier(value: UInt32, isPanic: Bool) {
        let device = PanicNotifier(report: log.report)
        #expect(device.read(offset: 0, size: 1) == 3)
        device.write(offset: 0, size: 1, value: value)
        #expect(log.all == (isPanic ? [.panic] : []))
    }
}
