import Firmware
import LinuxSystem

/// The registers of an MC146818A real-time clock and its CMOS memory (Motorola's data sheet). Time is the host's UTC plus
/// what the guest has set it apart by; it is always complete, so "update in progress" never shows.
struct ClockState {
    /// The register that the data port accesses.
    var index = 0
    /// The level last given to the interrupt line.
    var line = false

    private var memory = [UInt8](repeating: 0, count: Self.memorySize)
    /// Guest time minus host time, in seconds.
    private var offset = 0
    /// Host time up to which alarms have been looked for.
    private var seen: Int?

    static let memorySize = 128  // bytes, registers included

    private enum Register {
        static let seconds = 0
        static let secondsAlarm = 1
        static let minutes = 2
        static let minutesAlarm = 3
        static let hours = 4
        static let hoursAlarm = 5
        static let dayOfWeek = 6
        static let dayOfMonth = 7
        static let month = 8
        static let year = 9
        static let a = 10
        static let b = 11
        static let c = 12
        static let d = 13
        static let century = Int(PlatformMap.clockCenturyRegister)
    }

    private static let time = [Register.seconds, Register.minutes, Register.hours, Register.dayOfWeek,
                               Register.dayOfMonth, Register.month, Register.year, Register.century]

    private enum B {
        static let set: UInt8 = 0x80
        static let alarmInterrupt: UInt8 = 0x20
        static let updateInterrupt: UInt8 = 0x10
        static let binary: UInt8 = 0x04
        static let hours24: UInt8 = 0x02
    }

    private enum C {
        static let interrupt: UInt8 = 0x80
        static let alarm: UInt8 = 0x20
        static let update: UInt8 = 0x10
    }

    /// Seconds from 1970 to the end of the year 9999, beyond which no guest can set its clock: sums of times stay small.
    private static let farthestOffset = 253_402_300_799

    private static let afternoon: UInt8 = 0x80
    private static let validTime: UInt8 = 0x80  // register D, VRT: the battery is good
    private static let dividerRunning: UInt8 = 0x26  // register A: 32.768 kHz, rate 1024 Hz

    init() {
        memory[Register.a] = Self.dividerRunning
        memory[Register.b] = B.hours24
    }

    /// What `saved` says, as far as it can be.
    init(_ saved: RealTimeClockState) {
        index = Int(saved.index & 0x7F)
        for (register, value) in saved.memory.prefix(Self.memorySize).enumerated() { memory[register] = value }
        memory[Register.a] &= 0x7F
        memory[Register.c] &= C.alarm | C.update
        memory[Register.d] = 0
        offset = min(max(Int(saved.offset), -Self.farthestOffset), Self.farthestOffset)
        seen = Int(saved.lastLook)
    }

    /// - Parameter now: host time in seconds since 1970.
    func saved(now: Int) -> RealTimeClockState {
        var saved = RealTimeClockState()
        saved.index = UInt8(truncatingIfNeeded: index)
        saved.memory = memory
        saved.offset = Int64(offset)
        saved.lastLook = Int64(seen ?? now)
        return saved
    }

    var wantsInterrupt: Bool { memory[Register.c] & memory[Register.b] & (C.alarm | C.update) != 0 }

    /// - Parameter now: host time in seconds since 1970.
    mutating func read(now: Int) -> UInt8 {
        catchUp(now: now)
        switch index {
        case _ where Self.time.contains(index):
            if memory[Register.b] & B.set == 0 { storeTime(now + offset) }
            return memory[index]
        case Register.c:
            let flags = memory[Register.c]
            let isPending = wantsInterrupt
            memory[Register.c] = 0
            return flags | (isPending ? C.interrupt : 0)
        case Register.d: return Self.validTime
        default: return memory[index]
        }
    }

    mutating func write(_ value: UInt8, now: Int) {
        catchUp(now: now)
        switch index {
        case Register.c, Register.d: break  // read-only
        case Register.a: memory[index] = value & 0x7F
        case Register.b:
            let setsNow = memory[index] & B.set == 0 && value & B.set != 0
            let ends = memory[index] & B.set != 0 && value & B.set == 0
            if setsNow { storeTime(now + offset) }
            memory[index] = value
            if ends, let time = loadTime() { offset = time - now }
        case _ where Self.time.contains(index):
            // Without SET a single field is changed in the running time.
            if memory[Register.b] & B.set == 0 { storeTime(now + offset) }
            memory[index] = value
            if memory[Register.b] & B.set == 0, let time = loadTime() { offset = time - now }
        default: memory[index] = value
        }
    }

    /// Seconds until the next interrupt that the guest has asked for, at least 1; nil when there is none.
    func secondsToNextEvent(now: Int) -> Int? {
        if memory[Register.b] & B.set != 0 { return nil }
        if memory[Register.b] & B.updateInterrupt != 0 { return 1 }
        guard memory[Register.b] & B.alarmInterrupt != 0 else { return nil }
        // Alarms have no date: within a day one of these seconds matches, or none ever will.
        return (1...86_400).first { matchesAlarm(now + offset + $0) }
    }

    /// Raises what has become due since the last look, however long ago: the timer that calls this may be late.
    mutating func catchUp(now: Int) {
        guard let seen, memory[Register.b] & B.set == 0, now > seen else {
            // Time that was set back, or stands still while it is being set, brings no events.
            self.seen = now
            return
        }
        self.seen = now
        memory[Register.c] |= C.update
        // Alarms have no date: a day holds every one there is.
        if (max(seen, now - 86_400)..<now).contains(where: { matchesAlarm($0 + 1 + offset) }) { memory[Register.c] |= C.alarm }
    }

    private func matchesAlarm(_ seconds: Int) -> Bool {
        // Arithmetic rather than a calendar: `secondsToNextEvent` may ask for every second of a day.
        let ofDay = ((seconds % 86_400) + 86_400) % 86_400
        return matches(Register.secondsAlarm, encode(ofDay % 60)) && matches(Register.minutesAlarm, encode(ofDay / 60 % 60))
            && matches(Register.hoursAlarm, encodeHour(ofDay / 3600))
    }

    /// 0xC0 and above in an alarm register means any.
    private func matches(_ register: Int, _ value: UInt8) -> Bool {
        memory[register] >= 0xC0 || memory[register] == value
    }

    private mutating func storeTime(_ seconds: Int) {
        let time = CalendarTime(secondsSince1970: seconds)
        memory[Register.seconds] = encode(time.second)
        memory[Register.minutes] = encode(time.minute)
        memory[Register.hours] = encodeHour(time.hour)
        memory[Register.dayOfWeek] = encode(time.weekday)
        memory[Register.dayOfMonth] = encode(time.day)
        memory[Register.month] = encode(time.month)
        memory[Register.year] = encode(time.year % 100)
        memory[Register.century] = encode(time.year / 100 % 100)
    }

    private func loadTime() -> Int? {
        var time = CalendarTime(secondsSince1970: 0)
        time.second = decode(memory[Register.seconds])
        time.minute = decode(memory[Register.minutes])
        time.hour = decodeHour(memory[Register.hours])
        time.day = decode(memory[Register.dayOfMonth])
        time.month = decode(memory[Register.month])
        time.year = decode(memory[Register.century]) * 100 + decode(memory[Register.year])
        return time.secondsSince1970
    }

    private var isBinary: Bool { memory[Register.b] & B.binary != 0 }
    private var is24Hours: Bool { memory[Register.b] & B.hours24 != 0 }

    private func encode(_ value: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: isBinary ? value : (value / 10) << 4 | (value % 10))
    }

    private func decode(_ value: UInt8) -> Int {
        isBinary ? Int(value) : Int(value >> 4) * 10 + Int(value & 0xF)
    }

    private func encodeHour(_ hour: Int) -> UInt8 {
        if is24Hours { return encode(hour) }
        return encode(hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? Self.afternoon : 0)
    }

    private func decodeHour(_ value: UInt8) -> Int {
        if is24Hours { return decode(value) }
        return decode(value & ~Self.afternoon) % 12 + (value & Self.afternoon != 0 ? 12 : 0)
    }
}
