import Devices
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("Entropy device")
struct EntropyDeviceTests {
    private static let data: GuestAddress = 0x10_0000
    private let memory: GuestMemory
    private let rings: MockDriver
    private let loop: LoopThread
    private let driver: TransportDriver

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 64 << 20)))
        rings = MockDriver(memory: memory, size: 64)
        loop = try LoopThread()
        driver = try TransportDriver(try EntropyDevice(loop: loop.loop), memory: memory)
        try driver.start(rings, features: MMIO.version1 | MMIO.indirect)
    }

    private func submit(_ buffers: [MockDriver.Buffer]) throws -> UInt32 {
        let used = rings.usedIndex
        try rings.add(buffers)
        driver.kick()
        try driver.wait(for: rings, used: used + 1)
        return rings.used(used).count
    }

    @Test("buffers are filled, each time with something else")
    func fills() throws {
        #expect(driver[MMIO.deviceID] == 4)
        #expect(try submit([.writable(Self.data, 64)]) == 64)
        let first = try memory.bytes(at: Self.data, count: 65)
        #expect(first.last == 0)
        #expect(try submit([.writable(Self.data, 64)]) == 64)
        #expect(try memory.bytes(at: Self.data, count: 64) != Array(first.prefix(64)))
    }

    @Test("several buffers are filled to their last byte")
    func several() throws {
        let buffers = (0..<8).map { MockDriver.Buffer.writable(Self.data + UInt64($0) * 0x1000, 33) }
        #expect(try submit(buffers) == 8 * 33)
        for buffer in buffers {
            #expect(try memory.bytes(at: buffer.address, count: 33) != [UInt8](repeating: 0, count: 33))
            #expect(try memory.bytes(at: buffer.address + 33, count: 8) == [UInt8](repeating: 0, count: 8))
        }
    }

    @Test("a request of any size gets 64 KiB at the most", arguments: [
        [65536], [65537], [32 << 20], [1, 65536], [65535, 1, 1], [32 << 20, 16 << 20],
    ] as [[UInt32]])
    func bounded(lengths: [UInt32]) throws {
        #expect(try submit(lengths.map { .writable(Self.data, $0) }) == 65536)
        guard lengths == [32 << 20] else { return }
        #expect(try memory.bytes(at: Self.data + 65536, count: 64) == [UInt8](repeating: 0, count: 64))
    }

    @Test("a request with nothing to write to makes the device ask for a reset", arguments: [
        [.readable(data, 16)], [.writable(data, 0)],
    ] as [[MockDriver.Buffer]])
    func nothing(buffers: [MockDriver.Buffer]) throws {
        try rings.add(buffers)
        driver.kick()
        try driver.waitForNeedsReset()
        try driver.start(rings)
        #expect(try submit([.writable(Self.data, 8)]) == 8)
    }

    // MARK: Limits

    private func limited(to rate: UInt64) throws -> (LoopThread, TransportDriver) {
        let loop = try LoopThread()
        return (loop, try TransportDriver(try EntropyDevice(loop: loop.loop, bytesPerSecond: rate), memory: memory))
    }

    @Test("with a limit a second's bytes come at once, and the next ones only when their time has come")
    func limit() throws {
        let (loop, driver) = try limited(to: 2000)
        try driver.start(rings)
        let start = Clock.monotonicNanoseconds()
        for round in 0..<4 as Range<UInt16> {
            try rings.add([.writable(Self.data, 1000)])
            driver.kick()
            try driver.wait(for: rings, used: round + 1)
            #expect(rings.used(round).count == 1000)
        }
        // 2000 bytes at once, the third and the fourth thousand half a second each.
        #expect(Clock.monotonicNanoseconds() - start >= 1_000_000_000)
        driver.status = 0
        withExtendedLifetime(loop) {}
    }

    @Test("with a limit below a request the request gets as many bytes as the limit has",
          arguments: [1, 100, 100_000] as [UInt64])
    func limitedRequest(rate: UInt64) throws {
        let (loop, driver) = try limited(to: rate)
        try driver.start(rings)
        try rings.add([.writable(Self.data, 200_000)])
        driver.kick()
        try driver.wait(for: rings, used: 1)
        #expect(rings.used(0).count == UInt32(min(rate, 65536)))
        driver.status = 0
        withExtendedLifetime(loop) {}
    }

    @Test("a request that waits for its time does not keep a reset waiting, and is not answered afterwards")
    func resetWhileWaiting() throws {
        let (loop, driver) = try limited(to: 1)
        for _ in 0..<3 {
            try driver.start(rings)
            for _ in 0..<20 { try rings.add([.writable(Self.data, 1)]) }
            driver.kick()
            driver.status = 0
            let used = rings.usedIndex
            #expect(used < 20)
        }
        try driver.start(rings)
        try rings.add([.readable(Self.data, 1)])
        driver.kick()
        try driver.waitForNeedsReset()
        withExtendedLifetime(loop) {}
    }
}
