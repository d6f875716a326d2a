import Devices
import Firmware
import Testing

@Suite("General-purpose events")
struct GeneralPurposeEventTests {
    private let log: EventLog
    private let power: PowerManagement
    private let block: any PortDevice

    init() {
        let log = EventLog()
        self.log = log
        power = PowerManagement(setInterrupt: log.setLine, report: log.report)
        block = power.generalPurposeEvents
    }

    private static let status: UInt16 = 0, enable: UInt16 = 1
    private static let event = UInt32(1 << PlatformMap.generationEvent)
    private static let button: UInt32 = 1 << 8

    private func read(_ offset: UInt16) -> UInt32 { block.read(offset: offset, size: 1) }
    private func write(_ offset: UInt16, _ value: UInt32) { block.write(offset: offset, size: 1, value: value) }
    private func command(_ value: UInt8) { power.commandPort.write(offset: 0, size: 1, value: UInt32(value)) }

    @Test("a new generation interrupts only when ACPI mode and its enable bit are on",
          arguments: [(false, false), (false, true), (true, false), (true, true)])
    func announce(isACPI: Bool, isEnabled: Bool) {
        if isACPI { command(PlatformMap.acpiEnable) }
        if isEnabled { write(Self.enable, Self.event) }
        #expect(power.announceNewGeneration() == (isACPI && isEnabled))
        #expect(log.line == (isACPI && isEnabled))
        #expect(read(Self.status) == Self.event, "the status shows it in any case")
        // Switched on later, the interrupt comes then.
        command(PlatformMap.acpiEnable)
        write(Self.enable, Self.event)
        #expect(log.line)
        write(Self.status, Self.event)
        #expect(!log.line && read(Self.status) == 0)
        #expect(log.levels == [true, false])
        #expect(log.all.isEmpty)
    }

    @Test("the status is cleared by writing ones and kept by writing zeros, and no write sets it")
    func writeOneToClear() {
        write(Self.status, 0xFF)
        #expect(read(Self.status) == 0)
        power.announceNewGeneration()
        write(Self.status, 0)
        write(Self.status, ~Self.event & 0xFF)
        #expect(read(Self.status) == Self.event)
        write(Self.status, Self.event)
        #expect(read(Self.status) == 0)
    }

    @Test("events that do not exist cannot be enabled")
    func enableBits() {
        write(Self.enable, 0xFF)
        #expect(read(Self.enable) == Self.event)
        write(Self.enable, ~Self.event & 0xFF)
        #expect(read(Self.enable) == 0)
    }

    @Test("the interrupt is held by the power button and by the event, until the last of both is cleared",
          arguments: [true, false])
    func sharedLine(buttonFirst: Bool) {
        command(PlatformMap.acpiEnable)
        let registers = power.registers
        registers.write(offset: 2, size: 2, value: Self.button)
        write(Self.enable, Self.event)
        let causes = [{ _ = power.pressPowerButton() }, { _ = power.announceNewGeneration() }]
        for raise in buttonFirst ? causes : causes.reversed() { raise() }
        #expect(log.levels == [true])
        let clearings = [{ registers.write(offset: 0, size: 2, value: Self.button) }, { write(Self.status, Self.event) }]
        for (index, clear) in (buttonFirst ? clearings : clearings.reversed()).enumerated() {
            clear()
            #expect(log.line == (index == 0))
        }
        #expect(log.levels == [true, false])
    }

    @Test("an event that holds the line is no answer to whether the guest listens to the power button")
    func buttonBesideEvent() {
        command(PlatformMap.acpiEnable)
        write(Self.enable, Self.event)
        power.announceNewGeneration()
        #expect(log.line)
        #expect(!power.pressPowerButton())
        power.registers.write(offset: 2, size: 2, value: Self.button)
        write(Self.enable, 0)
        #expect(power.pressPowerButton())
        #expect(!power.announceNewGeneration())
    }

    @Test("leaving ACPI mode takes the interrupt back, coming into it again raises it")
    func modes() {
        command(PlatformMap.acpiEnable)
        write(Self.enable, Self.event)
        power.announceNewGeneration()
        command(PlatformMap.acpiDisable)
        #expect(!log.line)
        command(PlatformMap.acpiEnable)
        #expect(log.levels == [true, false, true])
    }

    @Test("registers are read and written by any width, and behind them is nothing")
    func widths() {
        power.announceNewGeneration()
        block.write(offset: 0, size: 2, value: Self.event << 8)
        #expect(block.read(offset: 0, size: 2) == Self.event << 8 | Self.event)
        #expect(block.read(offset: 0, size: 4) == Self.event << 8 | Self.event)
        #expect(block.read(offset: 1, size: 4) == Self.event)
        block.write(offset: 0, size: 4, value: .max)
        #expect(block.read(offset: 0, size: 4) == Self.event << 8)
        block.write(offset: 2, size: 4, value: .max)
        block.write(offset: .max, size: 4, value: 0)
        #expect(block.read(offset: .max, size: 4) == 0)
        #expect(read(Self.enable) == Self.event)
    }
}
