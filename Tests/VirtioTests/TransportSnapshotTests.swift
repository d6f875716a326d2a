import GuestMemory
import LinuxSystem
import TestSupport
import Testing
@testable import Virtio
import Wire

@Suite("Saved transport")
struct TransportSnapshotTests {
    private let memory: GuestMemory
    private let rings: MockDriver
    private let loop: LoopThread

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 16 << 20)))
        rings = MockDriver(memory: memory, size: 8)
        loop = try LoopThread()
    }

    private func driver(features: UInt64 = 0, queueSizes: [UInt16] = [8], configuration: [UInt8] = []) throws -> TransportDriver {
        try TransportDriver(TestDevice(features: features, queueSizes: queueSizes, configuration: configuration, loop: loop.loop),
                            memory: memory)
    }

    private func bytes(_ snapshot: TransportSnapshot) -> [UInt8] {
        var encoder = WireEncoder()
        snapshot.encode(&encoder)
        return encoder.bytes
    }

    private func decode(_ bytes: [UInt8]) throws -> TransportSnapshot {
        var decoder = WireDecoder(bytes)
        let snapshot = try TransportSnapshot(&decoder)
        try decoder.finish()
        return snapshot
    }

    /// Serves so many chains, and stands still.
    private func saved(_ driver: TransportDriver, chains: UInt16, features: UInt64 = MMIO.version1) throws -> TransportSnapshot {
        try driver.start(rings, features: features)
        for round in 0..<chains {
            rings.usedEvent = round
            try rings.add([.writable(0x10_0000, 1)])
            driver.kick()
            try driver.wait(for: rings, used: round + 1)
        }
        driver.transport.suspend()
        return driver.transport.snapshot()
    }

    @Test("a device goes on in another transport where it stood, with what was made available meanwhile",
          arguments: [0, MMIO.eventIndex, MMIO.eventIndex | MMIO.indirect])
    func goesOn(features: UInt64) throws {
        var saved = try saved(try driver(), chains: 21, features: MMIO.version1 | features)
        for step in 0..<5 as Range<UInt16> {
            try rings.add([.writable(0x10_0000, 3)])
            // Nobody serves it.
            #expect(rings.usedIndex == 21 + 2 * step)
            #expect(try decode(bytes(saved)) == saved)
            let next = try driver()
            try next.transport.restore(try decode(bytes(saved)))
            #expect(next.status == MMIO.acknowledge | MMIO.driver | MMIO.featuresOK | MMIO.driverOK)
            rings.usedEvent = 21 + 2 * step
            next.transport.resume()
            try next.wait(for: rings, used: 22 + 2 * step)
            rings.usedEvent = 22 + 2 * step
            try rings.add([.writable(0x10_0000, 4)])
            next.kick()
            try next.wait(for: rings, used: 23 + 2 * step)
            #expect(rings.used(22 + 2 * step).1 == 4)
            next.transport.suspend()
            saved = next.transport.snapshot()
        }
    }

    @Test("a device that has stood still goes on itself, and a reset ends it")
    func goesOnHere() throws {
        let driver = try driver()
        _ = try saved(driver, chains: 3)
        driver.transport.resume()
        try rings.add([.writable(0x10_0000, 3)])
        driver.kick()
        try driver.wait(for: rings, used: 4)
        driver.status = 0
        #expect(driver.status == 0)
        // Nothing to let go on.
        driver.transport.suspend()
        driver.transport.resume()
        #expect(driver.status == 0)
    }

    @Test("the driver is interrupted once more, which loses nothing, and told of another configuration")
    func interrupts() throws {
        let saved = try saved(try driver(configuration: [1, 2]), chains: 1)
        let same = try driver(configuration: [1, 2])
        try same.transport.restore(saved)
        same.transport.resume()
        #expect(same[MMIO.interruptStatus] == 1 && same.line.take())
        let other = try driver(configuration: [1, 3])
        try other.transport.restore(saved)
        other.transport.resume()
        #expect(other[MMIO.interruptStatus] == 3 && other.transport.read(offset: MMIO.configuration + 1, size: 1) == 3)
        #expect(other[MMIO.configGeneration] != saved.configurationGeneration)
    }

    @Test("a device that waits for its driver's reset waits for it elsewhere, too")
    func failed() throws {
        let first = try driver()
        try first.start(rings)
        try rings.add([.writable(0xC000_0000, 1)])
        first.kick()
        try first.waitForNeedsReset()
        first.transport.suspend()
        let next = try driver()
        try next.transport.restore(first.transport.snapshot())
        next.transport.resume()
        #expect(next.status & MMIO.needsReset != 0)
        try next.start(rings)
        try rings.add([.writable(0x10_0000, 2)])
        next.kick()
        try next.wait(for: rings, used: 1)
    }

    @Test("another type, other features, queues, configuration or rings outside of memory are refused with what differs")
    func refused() throws {
        let saved = try saved(try driver(features: 1 << 5), chains: 1, features: MMIO.version1 | 1 << 5)
        func refusal(_ driver: TransportDriver, _ change: (inout TransportSnapshot) -> Void = { _ in }) throws -> String {
            var snapshot = saved
            change(&snapshot)
            do throws(SavedStateError) {
                try driver.transport.restore(snapshot)
                return ""
            } catch {
                return error.description
            }
        }
        func good() throws -> TransportDriver { try driver(features: 1 << 5) }
        #expect(try refusal(try good()) == "")
        #expect(try refusal(try good()) { $0.deviceType = 2 } == "saved as a device of type 2, expected one of type 4")
        #expect(try refusal(try driver()).contains("feature 5"))
        #expect(try refusal(try driver(features: 1 << 5, queueSizes: [8, 8])).contains("1 queues were saved, the device has 2"))
        #expect(try refusal(try driver(features: 1 << 5, configuration: [0])).contains("0 bytes was saved, expected 1"))
        #expect(try refusal(try good()) { $0.queues[0].usedRing = 0xFFFF_FFFF_FFFF_FFFC }.contains("not lie in the guest's memory"))
        #expect(try refusal(try good()) { $0.queues[0].size = 3 }.contains("not lie in the guest's memory"))
        #expect(try refusal(try good()) { $0.status = 0 }.contains("expected DRIVER_OK"))
        #expect(try refusal(try good()) { $0.device = [1] }.contains("1 bytes of the device's own state, expected none"))
    }

    @Test("no bytes make it trap", arguments: 0..<4 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let good = bytes(try saved(try driver(), chains: 2))
        for count in good.indices { #expect(throws: WireError.self) { try decode(Array(good[..<count])) } }
        for _ in 0..<500 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let snapshot = try? decode(bytes) else { continue }
            let next = try driver()
            guard (try? next.transport.restore(snapshot)) != nil else { continue }
            next.transport.resume()
            next.status = 0
        }
    }
}
