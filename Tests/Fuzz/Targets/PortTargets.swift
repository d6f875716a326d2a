import Devices
import LinuxSystem
import Synchronization
import TestSupport

/// Devices behind I/O ports, with a clock that the input turns, backwards too.
enum PortTargets {
    static let serial = FuzzTarget("serial") { input in
        let line = Level()
        var port = SerialPort(output: { _ in }, setInterrupt: { line.set($0) })
        while !input.isEmpty {
            let offset = UInt16(input.below(16))
            switch input.below(8) {
            case 0, 1, 2: port.write(offset: offset, size: input.pick([1, 2, 4]), value: UInt32(input.byte()))
            case 3: port.write(offset: offset, size: 4, value: input.number())
            case 4, 5: require(port.read(offset: offset, size: input.pick([1, 2, 4])) <= 0xFF, "a register of more than a byte")
            case 6:
                let bytes = input.some(40)
                let count = port.receive(bytes[...])
                require((0...bytes.count).contains(count), "\(count) of \(bytes.count) bytes are taken")
            default:
                let saved = port.snapshot
                let next = SerialPort(output: { _ in }, setInterrupt: { line.set($0) })
                next.restore(saved)
                require(next.snapshot == saved, "what was saved is not what is restored")
                port = next
            }
        }
        // FCR: both FIFOs are emptied; MCR: no loopback; then a byte that comes is read.
        port.write(offset: 3, size: 1, value: 0)
        port.write(offset: 4, size: 1, value: 0)
        port.write(offset: 2, size: 1, value: 7)
        require(port.receive([0x42][...]) == 1, "an empty FIFO takes nothing")
        require(port.read(offset: 0, size: 1) == 0x42, "what was received is not what is read")
    }

    static let platform = FuzzTarget("platform") { input in
        let clockTime = Time()
        let line = Level()
        var clock: RealTimeClock?
        let watching = try LoopThread { loop in
            clock = try RealTimeClock(loop: loop, setInterrupt: { line.set($0) }, hostTime: { clockTime.now })
        }
        guard let clock else { violation("no clock") }
        let power = PowerManagement(setInterrupt: { line.set($0) }, report: { _ in })
        var bus = PortBus()
        bus.attach(clock, at: 0x70, count: 2)
        bus.attach(power.registers, at: 0x600, count: 8)
        bus.attach(power.commandPort, at: 0xB2, count: 1)
        while !input.isEmpty {
            let port = input.once(in: 8) ? input.number(UInt16.self) : input.pick([0x70, 0x71, 0x70, 0x71, 0x600, 0x602, 0x604, 0x605, 0xB2])
            let size = input.pick([1, 2, 4])
            switch input.below(8) {
            case 0, 1, 2, 3: bus.write(port: port, size: size, value: input.once(in: 2) ? UInt32(input.byte()) : input.number())
            case 4, 5: _ = bus.read(port: port, size: size)
            case 6: clockTime.turn(to: input.once(in: 4) ? input.number() : clockTime.now &+ UInt64(input.below(100)) * 1_000_000_000)
            default:
                if input.once(in: 2) { power.pressPowerButton() } else { clock.restore(clock.snapshot) }
            }
        }
        withExtendedLifetime(watching) {}
    }

    /// What an interrupt line is given: levels that change, each time.
    private final class Level: Sendable {
        private let level = Atomic<Bool>(false)
        func set(_ new: Bool) { level.store(new, ordering: .relaxed) }
    }

    /// Nanoseconds since 1970.
    private final class Time: Sendable {
        private let time = Atomic<UInt64>(1_790_000_000_000_000_000)
        var now: UInt64 { time.load(ordering: .relaxed) }
        func turn(to new: UInt64) { time.store(new, ordering: .relaxed) }
    }
}
