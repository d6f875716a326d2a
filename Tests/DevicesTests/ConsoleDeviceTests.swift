import Devices
import GuestMemory
import LinuxSystem
import Synchronization
import TestSupport
import Testing

@Suite("Console device")
struct ConsoleDeviceTests {
    private static let data: GuestAddress = 0x10_0000

    /// What the guest has printed.
    private final class Printed: Sendable {
        let bytes = Mutex<[UInt8]>([])
        var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
    }

    private let memory: GuestMemory
    private let receive: MockDriver
    private let transmit: MockDriver
    private let printed = Printed()
    private let room: EventNotifier
    private let device: ConsoleDevice
    private let driver: TransportDriver

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 64 << 20)))
        receive = MockDriver(memory: memory, size: 64)
        transmit = MockDriver(memory: memory, size: 64, base: 0x2_0000)
        room = try EventNotifier()
        (device, driver) = try Self.make(memory, printed, room, TerminalSize(columns: 80, rows: 24))
    }

    private static func make(
        _ memory: GuestMemory, _ printed: Printed, _ room: EventNotifier, _ size: TerminalSize?
    ) throws -> (ConsoleDevice, TransportDriver) {
        let device = ConsoleDevice(size: size, output: { bytes in
            printed.bytes.withLock { $0 += Array(bytes) }
        }, roomForInput: { room.signal() })
        return (device, try TransportDriver(device, memory: memory))
    }

    private func start(_ features: UInt64 = MMIO.version1 | MMIO.indirect | 1) throws {
        try receive.reset()
        try transmit.reset()
        #expect(driver.negotiate(features))
        driver.configure(0, receive)
        driver.configure(1, transmit)
        driver.driverOK()
    }

    private func size(_ driver: TransportDriver) -> [UInt64] {
        [0, 2].map { driver.transport.read(offset: MMIO.configuration + $0, size: 2) }
    }

    // MARK: Output

    @Test("what the driver transmits is printed, in order, from any number of buffers", arguments: [0, MMIO.eventIndex])
    func output(feature: UInt64) throws {
        try start(MMIO.version1 | feature)
        #expect(driver[MMIO.deviceID] == 3)
        let words = ["one ", "two ", "", "three", String(repeating: "x", count: 5000)]
        for (index, word) in words.enumerated() {
            try memory.write(Array(word.utf8), at: Self.data + 0x2000 * UInt64(index))
        }
        func buffer(_ index: Int) -> MockDriver.Buffer {
            .readable(Self.data + 0x2000 * UInt64(index), UInt32(words[index].utf8.count))
        }
        try transmit.add([buffer(0), buffer(2), buffer(1)])
        driver.kick(1)
        try driver.wait(for: transmit, used: 1)
        try transmit.add([buffer(3)])
        try transmit.add([buffer(4), buffer(0)])
        transmit.usedEvent = 2
        driver.kick(1)
        while transmit.usedIndex != 3 { try driver.line.wait("the third chain") }
        #expect(printed.text == "one two three" + words[4] + "one ")
        #expect(transmit.used(0).count == 0)
    }

    @Test("what the driver made available before it was ready is printed, too")
    func early() throws {
        try receive.reset()
        try transmit.reset()
        try memory.write(Array("early".utf8), at: Self.data)
        #expect(driver.negotiate(MMIO.version1))
        driver.configure(1, transmit)
        try transmit.add([.readable(Self.data, 5)])
        driver.kick(1)
        #expect(printed.text.isEmpty)
        driver.driverOK()
        try driver.wait(for: transmit, used: 1)
        #expect(printed.text == "early")
        // A queue that was not set up is no queue.
        driver.kick(0)
        #expect(device.receive([1]) == 0)
    }

    @Test("of a request of any size the last MiB is printed")
    func bounded() throws {
        try start()
        try memory.write(Array("end".utf8), at: Self.data + 0x10_0000)
        let many = (0..<40).map { _ in MockDriver.Buffer.readable(0x1000, 60 << 20) }
        try transmit.add(many + [.readable(Self.data, 0x10_0003)])
        driver.kick(1)
        try driver.wait(for: transmit, used: 1)
        let bytes = printed.bytes.withLock { $0 }
        #expect(bytes.count == 1 << 20 && bytes.suffix(4) == [0, 0x65, 0x6E, 0x64])
    }

    @Test("a buffer of the wrong direction, or outside of RAM, makes the device ask for a reset, and a reset makes it whole",
          arguments: [
        (1, .writable(data, 16)), (1, .readable(0xFFFF_FFFF_F000, 16)), (1, .readable(64 << 20, 1)),
        (0, .readable(data, 16)), (0, .writable(data, 0)), (0, .writable(0xFFFF_FFFF_FFFF_FFF0, 32)),
    ] as [(UInt32, MockDriver.Buffer)])
    func malformed(queue: UInt32, buffer: MockDriver.Buffer) throws {
        try start()
        try (queue == 0 ? receive : transmit).add([buffer])
        driver.kick(queue)
        if queue == 0 {
            try room.wait("the kick")
            #expect(device.receive([1, 2, 3]) == 0)
        }
        try driver.waitForNeedsReset()
        #expect(printed.text.isEmpty)
        try start()
        try receive.add([.writable(Self.data, 16)])
        #expect(device.receive([7]) == 1)
        try driver.wait(for: receive, used: 1)
        #expect(try memory.bytes(at: Self.data, count: 2) == [7, 0])
    }

    // MARK: Input

    @Test("input goes into the driver's buffers, as much as they hold; the rest waits for the next kick",
          arguments: [0, MMIO.eventIndex])
    func input(feature: UInt64) throws {
        #expect(device.receive([1]) == 0)
        try start(MMIO.version1 | feature)
        try room.wait("the driver")
        #expect(device.receive([1, 2, 3]) == 0)
        try receive.add([.writable(Self.data, 4), .writable(Self.data + 0x1000, 2)])
        try receive.add([.writable(Self.data + 0x2000, 4)])
        let bytes: [UInt8] = Array(1...20)
        #expect(device.receive(bytes[...]) == 10)
        try driver.wait(for: receive, used: 2)
        #expect(receive.used(0).count == 6 && receive.used(1).count == 4)
        #expect(try memory.bytes(at: Self.data, count: 5) == [1, 2, 3, 4, 0])
        #expect(try memory.bytes(at: Self.data + 0x1000, count: 3) == [5, 6, 0])
        #expect(try memory.bytes(at: Self.data + 0x2000, count: 5) == [7, 8, 9, 10, 0])
        room.take()
        try receive.add([.writable(Self.data + 0x3000, 64)])
        driver.kick(0)
        try room.wait("the kick")
        #expect(device.receive(bytes[10...]) == 10)
        #expect(receive.used(2).count == 10)
    }

    @Test("a driver that is told nothing of a size gives its buffers all the same, and input after a reset is turned away")
    func resets() throws {
        try start(MMIO.version1)
        try receive.add([.writable(Self.data, 4)])
        driver.status = 0
        #expect(device.receive([1]) == 0)
        #expect(receive.usedIndex == 0)
    }

    @Test("all input arrives in order through buffers of random sizes", arguments: 1...8 as ClosedRange<UInt64>)
    func randomInput(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        try start(MMIO.version1 | (seed % 2 == 0 ? MMIO.eventIndex : 0))
        var sent: [UInt8] = [], got: [UInt8] = [], waiting: [UInt8] = []
        var lengths: [Int] = [], seen: UInt16 = 0
        for step in 0..<400 {
            if random.below(2) == 0, receive.availableIndex &- receive.usedIndex < 60 {
                let length = 1 + random.below(40)
                try receive.add([.writable(Self.data + UInt64(lengths.count % 64) * 64, UInt32(length))])
                lengths.append(length)
                driver.kick(0)
            } else {
                let chunk = random.bytes(random.below(50))
                sent += chunk
                waiting += chunk
            }
            waiting.removeFirst(device.receive(waiting[...]))
            while seen != receive.usedIndex {
                let count = Int(receive.used(seen).count)
                #expect(count > 0 && count <= lengths[Int(seen)], "seed \(seed), step \(step)")
                got += try memory.bytes(at: Self.data + UInt64(seen % 64) * 64, count: count)
                seen += 1
            }
        }
        #expect(got + waiting == sent, "seed \(seed)")
        #expect(!got.isEmpty)
    }

    // MARK: Configuration

    @Test("the terminal's size is offered, and a change is announced to an active driver")
    func resize() throws {
        #expect(driver.offeredFeatures & 7 == 5)
        #expect(size(driver) == [80, 24])
        device.resize(TerminalSize(columns: 100, rows: 30))
        #expect(!driver.line.take())
        try start()
        driver.line.take()
        driver[MMIO.interruptACK] = 2
        let generation = driver[MMIO.configGeneration]
        device.resize(TerminalSize(columns: 132, rows: 43))
        try driver.line.wait("the change")
        #expect(driver[MMIO.interruptStatus] & 2 != 0)
        #expect(size(driver) == [132, 43] && driver[MMIO.configGeneration] != generation)
        driver[MMIO.interruptACK] = 2
        device.resize(TerminalSize(columns: 132, rows: 43))
        #expect(!driver.line.take())
        driver.status = 0
        device.resize(TerminalSize(columns: 1, rows: 1))
        #expect(!driver.line.take())
    }

    @Test("without a terminal there is no size")
    func noSize() throws {
        let (device, driver) = try Self.make(memory, printed, room, nil)
        #expect(driver.offeredFeatures & 7 == 4)
        device.resize(TerminalSize(columns: 80, rows: 24))
        #expect(size(driver) == [0, 0])
    }

    @Test("an emergency write prints its lowest byte, also on a device that nobody has set up; other fields stay as they are")
    func emergencyWrite() throws {
        let place = MMIO.configuration + 8
        driver.transport.write(offset: place, size: 4, value: 0xFFFF_FF41)
        driver.transport.write(offset: place, size: 1, value: 0x42)
        driver.transport.write(offset: place - 2, size: 4, value: 0x4343_5858)
        for offset in [0, 2, 4, 9, 12, 0x1000] as [UInt64] {
            driver.transport.write(offset: MMIO.configuration + offset, size: 2, value: 0x5858)
        }
        driver.transport.write(offset: MMIO.configuration, size: 8, value: .max)
        try start()
        driver.transport.write(offset: place, size: 2, value: 0x0044)
        #expect(printed.text == "ABCD")
        #expect(size(driver) == [80, 24] && driver.transport.read(offset: place, size: 4) == 0)
    }
}
