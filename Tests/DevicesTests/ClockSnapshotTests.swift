import Devices
import TestSupport
import Testing

@Suite("Real-time clock, saved and restored")
struct ClockSnapshotTests {
    /// 2026-11-20, a Friday, 21:05:09 UTC.
    private static let now = 1_795_208_709

    private let first: ClockHarness
    init() throws { first = try ClockHarness(now: Self.now) }

    @Test("a clock shows the host's present time, however long it was saved", arguments: [0, 1, 100_000])
    func hostTime(seconds: Int) throws {
        first[0x0B] = 0x06
        first[0x40] = 0xA5
        let second = try ClockHarness(now: Self.now + seconds)
        second.restore(first.snapshot)
        first.advance(seconds: seconds)
        #expect(second.time == first.time)
        #expect(second[0x40] == 0xA5 && second[0x0A] == 0x26 && second[0x0B] == 0x06)
    }

    @Test("what the guest had set its clock apart by stays")
    func offset() throws {
        first[0x0B] = 0x86
        first.set([0, 0, 3, 0, 1, 1, 30, 20])
        first[0x0B] = 0x06
        first.advance(seconds: 5)
        let second = try ClockHarness(now: Self.now + 65)
        second.restore(first.snapshot)
        #expect(second.time == [5, 1, 3, 3, 1, 1, 30, 20])
    }

    @Test("time that the guest is setting stands still in the next machine too")
    func setting() throws {
        first[0x0B] = 0x86
        first.set([1, 2, 3, 4, 5, 6, 7, 20])
        let second = try ClockHarness(now: Self.now + 1000)
        second.restore(first.snapshot)
        #expect(second.time == [1, 2, 3, 4, 5, 6, 7, 20])
        second[0x0B] = 0x06
        second.advance(seconds: 1)
        #expect(second[0] == 2 && second[9] == 7)
    }

    @Test("the index of the register to be read comes along")
    func index() throws {
        first[0x41] = 0x99
        let second = try ClockHarness(now: Self.now)
        second.restore(first.snapshot)
        #expect(second.readDataPort() == 0x99)
    }

    @Test("saving changes nothing")
    func pure() {
        first[0x0B] = 0x12
        first.advance(seconds: 1)
        let saved = first.snapshot
        #expect(saved == first.snapshot)
        #expect(first[0x0C] & 0x90 == 0x90, "reading C clears what is pending, saving does not")
    }

    @Test("the line is set to the level of what was pending, whatever it was")
    func level() throws {
        _ = first[0x00]
        first.advance(seconds: 1)
        _ = first[0x00]
        first[0x0B] = 0x92  // the update of before, its interrupt enabled now, and no further one
        #expect(first.line)
        let second = try ClockHarness(now: Self.now + 1)
        second.restore(first.snapshot)
        #expect(second.levels == [true])
        second.restore(first.snapshot)
        #expect(second.levels == [true, true])
        #expect(second[0x0C] == 0x90)
        second.restore(second.snapshot)
        #expect(second.levels == [true, true, false, false])
    }

    @Test("an alarm that is still to come is waited for")
    func alarm() throws {
        for (register, value) in zip([1, 3, 5] as [UInt8], [0x10, 0x05, 0x22] as [UInt8]) { first[register] = value }
        first[0x0B] = 0x22
        // One nanosecond before 22:05:10: the timer is short, and looks at the clock again when it fires.
        let second = try ClockHarness(now: Self.now + 3600)
        second.advance(nanoseconds: 999_999_999)
        second.restore(first.snapshot)
        #expect(!second.line)
        second.advance(nanoseconds: 1)
        try second.waitForInterrupt()
        #expect(second[0x0C] & 0xA0 == 0xA0)
    }

    @Test("an alarm that has come meanwhile is reported at once", arguments: [1, 3600, 10_000_000])
    func missedAlarm(seconds: Int) throws {
        for (register, value) in zip([1, 3, 5] as [UInt8], [0x10, 0xFF, 0xFF] as [UInt8]) { first[register] = value }
        first[0x0B] = 0x22
        let second = try ClockHarness(now: Self.now + seconds)
        second.restore(first.snapshot)
        #expect(second.line)
        #expect(second[0x0C] & 0xA0 == 0xA0)
    }

    @Test("a saved state may hold anything", arguments: [
        (.min, .min, 0), (.max, .max, 1000), (.min, .max, 128), (.max, .min, 11), (0, 0, 1),
    ] as [(Int64, Int64, Int)])
    func extremes(offset: Int64, lastLook: Int64, count: Int) throws {
        var state = RealTimeClockState()
        state.index = .max
        state.memory = Array(repeating: 0xFF, count: count)
        state.offset = offset
        state.lastLook = lastLook
        first.restore(state)
        #expect(first.snapshot.memory.count == 128 && first.snapshot.index == 0x7F)
        #expect(first.snapshot.memory[0x0A] & 0x80 == 0 && first.snapshot.memory[0x0C] & ~0x30 == 0)
        for mode in [0x06, 0x02, 0x04, 0x00, 0xFF, 0x06] as [UInt8] {
            first[0x0B] = mode
            _ = first.time
        }
        #expect(first[0] < 60 && first[0x0D] == 0x80)
        first[0x0B] = 0x86
        first.set([0, 0, 3, 0, 1, 1, 30, 20])
        first[0x0B] = 0x06
        #expect(first.time == [0, 0, 3, 3, 1, 1, 30, 20])
    }

    @Test("whatever is in a saved state, the clock works on", arguments: 1...4 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<12 {
            var state = RealTimeClockState()
            state.index = UInt8(truncatingIfNeeded: random.next())
            state.memory = random.bytes(random.below(300))
            state.offset = Int64(bitPattern: random.next())
            state.lastLook = Int64(bitPattern: random.next())
            first.restore(state)
            for register in 0...127 as ClosedRange<UInt8> { _ = first[register] }
            first[0x0B] = 0x06
            #expect(first[0] < 60)
            first[0x0B] = 0x86
            first.set([9, 8, 7, 1, 5, 4, 30, 20])
            first[0x0B] = 0x06
            #expect(first.time == [9, 8, 7, 6, 5, 4, 30, 20])
        }
    }
}
