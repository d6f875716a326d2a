import Devices
import Firmware
import TestSupport
import Testing

/// Power management with its surroundings recorded.
private struct PowerHarness {
    let log: EventLog
    let power: PowerManagement
    let blocks: [any PortDevice]

    init() {
        let log = EventLog()
        self.log = log
        power = PowerManagement(setInterrupt: log.setLine, report: log.report)
        blocks = [power.registers, power.generalPurposeEvents, power.commandPort]
    }

    var registers: [UInt32] {
        [blocks[0].read(offset: 0, size: 4), blocks[0].read(offset: 4, size: 4), blocks[1].read(offset: 0, size: 4)]
    }
}

@Suite("Power management, saved and restored")
struct PowerSnapshotTests {
    @Test("a pending event waits in the next machine, whose line is set whatever it was")
    func pending() {
        let first = PowerHarness()
        first.power.commandPort.write(offset: 0, size: 1, value: UInt32(PlatformMap.acpiEnable))
        first.blocks[0].write(offset: 2, size: 2, value: 1 << 8)
        first.power.pressPowerButton()
        let second = PowerHarness()
        second.power.restore(first.power.snapshot)
        #expect(second.log.levels == [true])
        #expect(second.power.isACPIEnabled)
        #expect(second.registers == first.registers)
        second.power.restore(first.power.snapshot)
        #expect(second.log.levels == [true, true])
        second.power.restore(PowerHarness().power.snapshot)
        #expect(second.log.levels == [true, true, false])
        #expect(!second.power.isACPIEnabled)
    }

    @Test("the state after power-on is that of a new machine")
    func powerOn() {
        #expect(PowerHarness().power.snapshot == PowerManagementState())
    }

    @Test("after a restore both machines answer every access in the same way", arguments: 1...8 as ClosedRange<UInt64>)
    func equivalence(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let first = PowerHarness(), second = PowerHarness()
        access(first, nil, &random)
        second.power.restore(first.power.snapshot)
        #expect(second.power.snapshot == first.power.snapshot)
        #expect(second.log.line == first.log.line)
        access(first, second, &random)
        #expect(second.power.snapshot == first.power.snapshot)
    }

    /// Does the same to both, at random.
    private func access(_ first: PowerHarness, _ second: PowerHarness?, _ random: inout SplitMix64) {
        for _ in 0..<500 {
            let block = random.below(3), offset = UInt16(random.below(8)), size = random.pick([1, 2, 4])
            let value = random.pick([UInt32(truncatingIfNeeded: random.next()), 1, 2, 3, 1 << 8, .max])
            let action = random.below(6)
            let answers = [first, second].compactMap { $0 }.map { machine -> UInt32 in
                switch action {
                case 0: return machine.power.pressPowerButton() ? 1 : 0
                case 1: return machine.power.announceNewGeneration() ? 1 : 0
                case 2, 3: return machine.blocks[block].read(offset: offset, size: size)
                default:
                    machine.blocks[block].write(offset: offset, size: size, value: value)
                    return machine.log.line ? 1 : 0
                }
            }
            #expect(answers.allSatisfy { $0 == answers[0] })
        }
    }

    @Test("whatever is in a saved state, a restore keeps what a guest could have made of it, and reports nothing",
          arguments: 1...4 as ClosedRange<UInt64>)
    func random(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let machine = PowerHarness()
        for _ in 0..<500 {
            var state = PowerManagementState()
            state.status = UInt16(truncatingIfNeeded: random.next())
            state.enable = UInt16(truncatingIfNeeded: random.next())
            state.control = UInt16(truncatingIfNeeded: random.next())
            state.gpe0Status = UInt8(truncatingIfNeeded: random.next())
            state.gpe0Enable = UInt8(truncatingIfNeeded: random.next())
            machine.power.restore(state)
            let kept = machine.power.snapshot
            #expect(kept.status == state.status & 1 << 8 && kept.enable == state.enable)
            #expect(kept.control == state.control & ~(1 << 13), "SLP_EN reads as zero")
            #expect(kept.gpe0Status == state.gpe0Status & 1 && kept.gpe0Enable == state.gpe0Enable & 1)
            let isPending = kept.status & kept.enable != 0 || kept.gpe0Status & kept.gpe0Enable != 0
            #expect(machine.log.line == (kept.control & 1 != 0 && isPending))
        }
        #expect(machine.log.all.isEmpty)
        // A guest that had prepared to sleep is not sent to sleep by a write of something else.
        machine.blocks[0].write(offset: 2, size: 2, value: 0)
        #expect(machine.log.all.isEmpty)
    }
}
