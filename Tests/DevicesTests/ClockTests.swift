import Devices
import LinuxSystem
import Synchronization
import TestSupport
import Testing

/// A real-time clock whose host time stands still until a test moves it.
final class ClockHarness: Sendable {
    private final class Shared: Sendable {
        let nanoseconds = Atomic<UInt64>(0)
        let levels = Mutex<[Bool]>([])
        let raised: EventNotifier
        let device = Mutex<RealTimeClock?>(nil)
        init() throws { raised = try EventNotifier() }
    }

    private let shared: Shared
    private let loop: LoopThread

    /// - Parameter now: seconds since 1970.
    init(now: Int) throws {
        let shared = try Shared()
        self.shared = shared
        shared.nanoseconds.store(UInt64(now) * 1_000_000_000, ordering: .relaxed)
        loop = try LoopThread { loop in
            let device = try RealTimeClock(
                loop: loop,
                setInterrupt: { level in
                    shared.levels.withLock { $0.append(level) }
                    if level { shared.raised.signal() }
                },
                hostTime: { shared.nanoseconds.load(ordering: .relaxed) })
            shared.device.withLock { $0 = device }
        }
    }

    private var device: RealTimeClock { shared.device.withLock { $0! } }

    func advance(nanoseconds: UInt64) { shared.nanoseconds.add(nanoseconds, ordering: .relaxed) }
    func advance(seconds: Int) { advance(nanoseconds: UInt64(seconds) * 1_000_000_000) }
    func waitForInterrupt() throws { try shared.raised.wait("the clock's interrupt") }
    var levels: [Bool] { shared.levels.withLock { $0 } }
    var line: Bool { levels.last ?? false }
    var snapshot: RealTimeClockState { device.snapshot }
    func restore(_ state: RealTimeClockState) { device.restore(state) }

    subscript(_ register: UInt8) -> UInt8 {
        get {
            device.write(offset: 0, size: 1, value: UInt32(register))
            return UInt8(device.read(offset: 1, size: 1))
        }
        set {
            device.write(offset: 0, size: 1, value: UInt32(register))
            device.write(offset: 1, size: 1, value: UInt32(newValue))
        }
    }

    func readIndexPort() -> UInt32 { device.read(offset: 0, size: 1) }
    func readDataPort() -> UInt32 { device.read(offset: 1, size: 1) }

    /// Seconds, minutes, hours, weekday, day, month, year, century.
    private static let fields: [UInt8] = [0, 2, 4, 6, 7, 8, 9, 0x32]
    var time: [UInt8] { Self.fields.map { self[$0] } }
    func set(_ time: [UInt8]) { for (register, value) in zip(Self.fields, time) { self[register] = value } }
}

@Suite("Real-time clock")
struct ClockTests {
    /// 2026-11-20, a Friday, 21:05:09 UTC.
    private static let now = 1_795_208_709

    private let clock: ClockHarness
    init() throws { clock = try ClockHarness(now: Self.now) }

    @Test("time is shown in each of the four formats", arguments: [
        (0x02, [0x09, 0x05, 0x21, 0x06, 0x20, 0x11, 0x26, 0x20]),
        (0x00, [0x09, 0x05, 0x89, 0x06, 0x20, 0x11, 0x26, 0x20]),
        (0x06, [9, 5, 21, 6, 20, 11, 26, 20]), (0x04, [9, 5, 0x89, 6, 20, 11, 26, 20]),
    ] as [(UInt8, [UInt8])])
    func formats(mode: UInt8, time: [UInt8]) {
        clock[0x0B] = mode
        #expect(clock.time == time)
    }

    @Test("12-hour clocks know midnight and noon", arguments: [
        (0, 0x12), (1, 0x01), (11, 0x11), (12, 0x92), (13, 0x81), (23, 0x91),
    ] as [(Int, UInt8)])
    func twelveHours(hour: Int, shown: UInt8) throws {
        let clock = try ClockHarness(now: Self.now - Self.now % 86400 + hour * 3600)
        clock[0x0B] = 0
        #expect(clock[4] == shown)
        // And back again.
        clock[0x0B] = 0x80
        clock[4] = shown
        clock[0x0B] = 0x00
        clock[0x0B] = 0x06
        #expect(Int(clock[4]) == hour)
    }

    @Test("time goes on, across the end of the year and of the century")
    func goesOn() throws {
        let clock = try ClockHarness(now: 4_102_444_799)  // 2099-12-31 23:59:59
        clock[0x0B] = 0x06
        #expect(clock.time == [59, 59, 23, 5, 31, 12, 99, 20])
        clock.advance(nanoseconds: 999_999_999)
        #expect(clock[0] == 59)
        clock.advance(nanoseconds: 1)
        #expect(clock.time == [0, 0, 0, 6, 1, 1, 0, 21])
    }

    @Test("the guest sets time under SET, and it goes on from there", arguments: [0x02, 0x06] as [UInt8])
    func set(mode: UInt8) {
        let wanted: [UInt8] = mode == 0x02
            ? [0x58, 0x59, 0x23, 0x05, 0x29, 0x02, 0x24, 0x20] : [58, 59, 23, 5, 29, 2, 24, 20]
        clock[0x0B] = 0x80 | mode
        clock.advance(seconds: 5)
        clock.set(wanted)
        clock.advance(seconds: 5)
        #expect(clock.time == wanted, "it stands while SET is set")
        clock[0x0B] = mode
        #expect(clock.time == wanted)
        clock.advance(seconds: 2)
        #expect(clock[7] == 1 && clock[8] == (mode == 0x02 ? 0x03 : 3))
    }

    @Test("a single field can be set while time runs")
    func setField() {
        clock[0x0B] = 0x06
        clock[4] = 3
        #expect(clock.time == [9, 5, 3, 6, 20, 11, 26, 20])
        clock.advance(seconds: 1)
        #expect(clock[0] == 10)
    }

    @Test("time that cannot be is not taken",
          arguments: [(0, 60), (2, 99), (4, 24), (7, 0), (7, 32), (8, 0), (8, 13), (0x32, 0), (0x32, 255)]
        as [(UInt8, UInt8)])
    func invalid(register: UInt8, value: UInt8) {
        clock[0x0B] = 0x06
        let before = clock.time
        clock[register] = value
        #expect(clock.time == before)
    }

    @Test("random registers and values never crash it", arguments: 1...4 as ClosedRange<UInt64>)
    func random(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<4000 {
            let register = UInt8(truncatingIfNeeded: random.next())
            // Alarms are asked for rarely: each write then looks for the next one.
            let value = UInt8(truncatingIfNeeded: random.next()) & (random.below(50) == 0 ? 0xFF : 0xDF)
            if random.below(2) == 0 { clock[register] = value } else { _ = clock[register] }
            if random.below(10) == 0 { clock.advance(seconds: random.below(100_000)) }
        }
        clock[0x0B] = 0x06
        #expect(clock[0] < 60)
    }

    @Test("status registers: no update shows, the battery is good, C and D are read-only")
    func status() {
        #expect(clock[0x0A] == 0x26)
        clock[0x0A] = 0xFF
        #expect(clock[0x0A] & 0x80 == 0)
        #expect(clock[0x0B] == 0x02)
        clock[0x0C] = 0xFF
        clock[0x0D] = 0x00
        #expect(clock[0x0C] == 0 && clock[0x0D] == 0x80)
    }

    @Test("CMOS memory keeps bytes; the index port cannot be read and its bit 7 means nothing")
    func memory() {
        clock[0x40] = 0xA5
        clock[0xC1] = 0x5A
        #expect(clock[0xC0] == 0xA5 && clock[0x41] == 0x5A)
        #expect(clock.readIndexPort() == 0xFF)
    }

    @Test("the update interrupt comes with the next second, and reading C takes it back")
    func update() throws {
        // The host's clock stands one nanosecond before the next second, so the timer is short, and then goes on.
        clock.advance(nanoseconds: 999_999_999)
        clock[0x0B] = 0x12
        clock.advance(nanoseconds: 1)
        try clock.waitForInterrupt()
        #expect(clock.line)
        clock[0x0B] = 0x02
        #expect(!clock.line)
        clock[0x0B] = 0x12
        #expect(clock.line)
        clock[0x0B] = 0x92  // SET: no further update
        #expect(clock[0x0C] == 0x90)
        #expect(!clock.line)
        #expect(clock[0x0C] & 0x80 == 0)
    }

    @Test("an alarm comes at its second, in the clock's own format", arguments: [
        (0x22, [0x10, 0x05, 0x21]), (0x26, [10, 5, 21]), (0x24, [10, 5, 0x89]), (0x20, [0x10, 0x05, 0x89]),
        (0x22, [0xFF, 0xFF, 0xFF]), (0x22, [0x10, 0xC0, 0xFF]),
    ] as [(UInt8, [UInt8])])
    func alarm(mode: UInt8, time: [UInt8]) throws {
        for (register, value) in zip([1, 3, 5] as [UInt8], time) { clock[register] = value }
        clock.advance(nanoseconds: 999_999_999)
        clock[0x0B] = mode
        // The timer looks at the clock when it fires; by then the second has come.
        clock.advance(nanoseconds: 1)
        try clock.waitForInterrupt()
        #expect(clock[0x0C] & 0xA0 == 0xA0)
        #expect(!clock.line)
    }
}
