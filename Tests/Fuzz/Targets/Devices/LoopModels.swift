import Devices
import GuestMemory
import LinuxSystem
import TestSupport
import Virtio

/// The entropy device, sometimes with a limit.
final class EntropyModel: DeviceModel {
    private let rate: UInt64?
    private let thread: LoopThread
    let device: any VirtioDevice

    convenience init(_ input: inout FuzzInput) throws {
        try self.init(rate: input.once(in: 4) ? 1 << 30 : nil)
    }

    private init(rate: UInt64?) throws {
        self.rate = rate
        thread = try LoopThread()
        var made: EntropyDevice?
        let loop = thread.loop
        made = try EntropyDevice(loop: loop, bytesPerSecond: rate)
        guard let made else { throw Errno.invalidArgument }
        device = made
    }

    func renewed() throws -> any DeviceModel { try EntropyModel(rate: rate) }

    func settle() {
        for _ in 0..<2 { thread.loop.performAndWait {} }
    }

    func request(_ input: inout FuzzInput, queue: Int, _ bench: Bench) throws -> [MockDriver.Buffer] {
        (0...input.below(3)).map { _ in bench.writable(input.once(in: 8) ? 0 : 1 + input.below(0x1_0000)) }
    }

    func proveThatItWorks(_ bench: Bench) throws {
        try bench.rings[0].add([bench.writable(64)])
        bench.driver.kick()
        bench.wait(0, used: 1)
        require(bench.rings[0].used(0) == (0, 64), "64 bytes were asked for, \(bench.rings[0].used(0)) came")
    }
}

/// The balloon, whose guest gives away pages of an area that nothing else uses, mostly.
final class BalloonModel: DeviceModel {
    private let thread: LoopThread
    private let balloon: BalloonDevice
    var device: any VirtioDevice { balloon }

    init() throws {
        thread = try LoopThread()
        balloon = BalloonDevice(loop: thread.loop)
    }

    func renewed() throws -> any DeviceModel { try BalloonModel() }

    func settle() {
        for _ in 0..<2 { thread.loop.performAndWait {} }
    }

    func request(_ input: inout FuzzInput, queue: Int, _ bench: Bench) throws -> [MockDriver.Buffer] {
        switch queue {
        case 0, 1:
            var bytes: [UInt8] = []
            for _ in 0..<input.below(12) {
                var number = [UInt8](repeating: 0, count: 4)
                let isWild = input.once(in: 8)
                // A page of rings that is given away makes indices go back to 0.
                if isWild { bench.isHonest = false }
                number.put(isWild ? input.number(UInt32.self) : 0x1000 + UInt32(input.below(64)), at: 0)
                bytes += number
            }
            if input.once(in: 8) { bytes = Array(bytes.dropLast(1)) }
            return [try bench.readable(bytes)]
        case 2:
            var bytes: [UInt8] = []
            for _ in 0..<input.below(12) {
                var tag = [UInt8](repeating: 0, count: 10)
                tag.put(UInt16(input.below(12)), at: 0)
                tag.put(input.number(UInt64.self), at: 2)
                bytes += tag
            }
            return [try bench.readable(bytes)]
        default: return (0...input.below(3)).map { _ in .writable(0x200_0000 + UInt64(input.below(0x10_0000)), input.number()) }
        }
    }

    func hostEvent(_ input: inout FuzzInput) throws {
        if input.once(in: 4) {
            _ = balloon.statistics(waitingFor: 100_000)
        } else {
            balloon.target = input.number()
        }
    }

    func proveThatItWorks(_ bench: Bench) throws {
        var page = [UInt8](repeating: 0, count: 4)
        page.put(0x1000 as UInt32, at: 0)
        for queue in 0...1 {
            try bench.rings[queue].add([try bench.readable(page)])
            bench.driver.kick(UInt32(queue))
            bench.wait(queue, used: 1)
        }
    }
}

/// The console, whose output nobody reads.
final class ConsoleModel: DeviceModel {
    private let hasTerminal: Bool
    private let console: ConsoleDevice
    var device: any VirtioDevice { console }
    let servedQueue = 1

    convenience init(_ input: inout FuzzInput) throws {
        self.init(hasTerminal: input.once(in: 2))
    }

    private init(hasTerminal: Bool) {
        self.hasTerminal = hasTerminal
        console = ConsoleDevice(size: hasTerminal ? TerminalSize(columns: 80, rows: 24) : nil, output: { _ in })
    }

    func renewed() throws -> any DeviceModel { ConsoleModel(hasTerminal: hasTerminal) }

    func settle() {}

    func request(_ input: inout FuzzInput, queue: Int, _ bench: Bench) throws -> [MockDriver.Buffer] {
        try (0...input.below(3)).map { _ in
            let count = input.pick([1, 0, 80, 4096, 65536])
            return (queue == 0) != input.once(in: 16) ? bench.writable(count) : try bench.readable([UInt8](repeating: 65, count: count))
        }
    }

    func hostEvent(_ input: inout FuzzInput) throws {
        if input.once(in: 2) {
            console.resize(TerminalSize(columns: input.number(), rows: input.number()))
        } else {
            let bytes = [UInt8](repeating: 66, count: input.below(5000))
            let count = console.receive(bytes[...])
            require(count <= bytes.count, "\(count) of \(bytes.count) bytes of input are taken")
        }
    }

    func proveThatItWorks(_ bench: Bench) throws {
        try bench.rings[1].add([try bench.readable([65])])
        try bench.rings[0].add([bench.writable(8)])
        bench.driver.kick(1)
        bench.wait(1, used: 1)
        require(console.receive([66, 67][...]) == 2, "input is not taken after a reset")
        require(bench.rings[0].used(0) == (0, 2), "input of 2 bytes became \(bench.rings[0].used(0))")
    }
}
