import Devices
import TestSupport
import Testing

@Suite("Serial port, saved and restored")
struct SerialSnapshotTests {
    private let first = SerialHarness()
    private let second = SerialHarness()

    @Test("registers, received bytes and pending interrupts come along, and the line is set whatever it was")
    func everything() {
        first[UART.lcr] = 0x80
        first[UART.data] = 0x01
        first[UART.ier] = 0x02
        first[UART.lcr] = 0x1B
        first[UART.fcr] = 0x01
        first[UART.scr] = 0x5A
        first[UART.ier] = 0x0F
        #expect(first.receive([1, 2, 3]) == 3)
        #expect(first[UART.data] == 1)
        first[UART.mcr] = 0x1B  // loopback, which takes no modem input away
        second.port.restore(first.port.snapshot)
        #expect(second.levels == [true])
        #expect(second.port.snapshot == first.port.snapshot)
        #expect(second[UART.iir] == 0xC4)
        #expect(second[UART.data] == 2 && second[UART.data] == 3)
        #expect(second[UART.iir] == 0xC2, "the transmitter's interrupt, which no register but IIR shows")
        #expect(second[UART.scr] == 0x5A && second[UART.lcr] == 0x1B && second[UART.mcr] == 0x1B && second[UART.ier] == 0x0F)
        second[UART.lcr] = 0x80
        #expect(second[UART.data] == 0x01 && second[UART.ier] == 0x02)
        #expect(second.output.isEmpty)
        second.port.restore(SerialHarness().port.snapshot)
        #expect(second.levels.last == false)
    }

    @Test("saving changes nothing")
    func pure() {
        first[UART.fcr] = 0x01
        first[UART.ier] = 0x03
        #expect(first.receive([1, 2]) == 2)
        let levels = first.levels
        #expect(first.port.snapshot == first.port.snapshot)
        #expect(first.port.snapshot.received == [1, 2])
        #expect(first.levels == levels)
        #expect(first[UART.data] == 1 && first[UART.data] == 2)
    }

    @Test("an overrun is reported once, before or after", arguments: [false, true])
    func overrun(isReadBefore: Bool) {
        first[UART.mcr] = 0x10
        first[UART.data] = 1
        first[UART.data] = 2
        if isReadBefore { #expect(first[UART.lsr] == 0x63) }
        second.port.restore(first.port.snapshot)
        #expect(second[UART.lsr] == (isReadBefore ? 0x61 : 0x63))
        #expect(second[UART.lsr] == 0x61)
    }

    @Test("a sender that was turned away before hears of the room that there is", arguments: [false, true])
    func room(isFull: Bool) {
        if isFull { #expect(first.receive([1]) == 1) }
        #expect(second.receive([8]) == 1)
        #expect(second.receive([9]) == 0)
        second.port.restore(first.port.snapshot)
        #expect(second.roomCalls == (isFull ? 0 : 1))
        if isFull { #expect(second[UART.data] == 1 && second.roomCalls == 1) }
        #expect(second.receive([9]) == 1)
    }

    @Test("after a restore both ports answer every access in the same way", arguments: 1...12 as ClosedRange<UInt64>)
    func equivalence(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        access(nil, 500, &random)
        second.port.restore(first.port.snapshot)
        #expect(second.line == first.line)
        access(second, 500, &random)
        #expect(second.port.snapshot == first.port.snapshot)
    }

    /// Does the same to the first port and to another, at random.
    private func access(_ other: SerialHarness?, _ count: Int, _ random: inout SplitMix64) {
        for _ in 0..<count {
            let register = UInt16(random.below(9)), action = random.below(5), value = UInt8(truncatingIfNeeded: random.next())
            let input = random.bytes(1 + random.below(20))
            let answers = [first, other].compactMap { $0 }.map { uart -> Int in
                switch action {
                case 0: return uart.receive(input)
                case 1, 2: return Int(uart[register])
                default:
                    uart[register] = value
                    return uart.line ? 1 : 0
                }
            }
            #expect(answers.allSatisfy { $0 == answers[0] })
        }
    }

    @Test("more bytes than the receiver's FIFO holds are cut", arguments: [(0, 1), (1, 16)] as [(UInt8, Int)])
    func tooMany(fifo: UInt8, capacity: Int) {
        var state = first.port.snapshot
        state.fifoControl = fifo
        state.received = (0..<200).map { UInt8($0) }
        second.port.restore(state)
        #expect(second.port.snapshot.received == Array(state.received.prefix(capacity)))
        #expect(second[UART.lsr] == 0x61, "and that is no overrun")
        #expect(second.receive([1]) == 0)
        #expect((0..<capacity).map { _ in second[UART.data] } == Array(state.received.prefix(capacity)))
        #expect(second[UART.lsr] == 0x60)
    }

    @Test("whatever is in a saved state, the port takes what it can be and works", arguments: 1...4 as ClosedRange<UInt64>)
    func random(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<100 {
            var state = SerialPortState()
            let bytes = random.bytes(9)
            (state.interruptEnable, state.fifoControl, state.lineControl) = (bytes[0], bytes[1], bytes[2])
            (state.modemControl, state.lineStatus, state.modemStatus) = (bytes[3], bytes[4], bytes[5])
            (state.scratch, state.pendingInterrupts, state.divisor) = (bytes[6], bytes[7], UInt16(bytes[8]) << 8)
            state.received = random.bytes(random.below(300))
            first.port.restore(state)
            let kept = first.port.snapshot
            #expect(kept.received == Array(state.received.prefix(state.fifoControl & 1 != 0 ? 16 : 1)))
            #expect(kept.interruptEnable == state.interruptEnable & 0x0F && kept.modemControl == state.modemControl & 0x1F)
            #expect(kept.lineStatus & ~0x02 == 0 && kept.modemStatus & ~0x0F == 0 && kept.pendingInterrupts & ~0x02 == 0)
            let line = first.line
            #expect(line == (first[UART.iir] & 0x01 == 0))
            access(nil, 50, &random)
        }
    }
}
