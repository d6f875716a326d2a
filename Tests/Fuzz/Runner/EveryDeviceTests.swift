import FuzzTargets
import TestSupport
import Testing
import Virtio

/// What holds for a virtio device of whatever kind.
@Suite("Every device")
struct EveryDeviceTests {
    private static let all = DeviceKind.all.map(\.name)
    private static let transportBits = MMIO.version1 | MMIO.eventIndex | MMIO.indirect

    private static func rig(_ name: String) throws -> DeviceRig {
        try DeviceRig(#require(DeviceKind.all.first { $0.name == name }))
    }

    // MARK: Features

    @Test("offers VERSION_1, and no bit of its own where none may be", arguments: all)
    func offer(name: String) throws {
        let rig = try Self.rig(name)
        #expect(rig.driver.offeredFeatures & MMIO.version1 != 0)
        // Bits 0 to 23 and 50 on are the device type's (virtio 1.2, 2.2).
        let reserved: UInt64 = (1 << 50 - 1) & ~(1 << 24 - 1)
        #expect(rig.device.features & reserved == 0)
    }

    @Test("takes all that it offers, and nothing else", arguments: all)
    func negotiation(name: String) throws {
        let rig = try Self.rig(name)
        #expect(rig.driver.negotiate(rig.driver.offeredFeatures))
        #expect(!rig.driver.negotiate(rig.driver.offeredFeatures & ~MMIO.version1))
        for bit in 0..<64 where rig.driver.offeredFeatures >> UInt64(bit) & 1 == 0 {
            #expect(!rig.driver.negotiate(MMIO.version1 | 1 << UInt64(bit)), "bit \(bit)")
        }
    }

    // MARK: Configuration space

    @Test("its configuration can be read to its end and no further, and written anywhere", arguments: all)
    func configuration(name: String) throws {
        let rig = try Self.rig(name)
        let bytes = rig.device.configuration
        for offset in 0..<bytes.count + 16 {
            let place = MMIO.configuration + UInt64(offset)
            #expect(rig.driver.transport.read(offset: place, size: 1) == (offset < bytes.count ? UInt64(bytes[offset]) : 0), "\(offset)")
            #expect(offset + 4 <= bytes.count || rig.driver.transport.read(offset: place, size: 4) == 0, "\(offset)")
        }
        try rig.reach(.active)
        for offset in stride(from: 0, to: UInt64(0xF00), by: 3) {
            for size in [1, 2, 4, 8] { rig.driver.transport.write(offset: MMIO.configuration + offset, size: size, value: .max) }
        }
        #expect(rig.device.configuration.count == bytes.count)
        try rig.reach(.active)
        try rig.proveThatItWorks()
    }

    @Test("its queues have sizes that a driver can set up", arguments: all)
    func queues(name: String) throws {
        let rig = try Self.rig(name)
        #expect(!rig.device.queueSizes.isEmpty)
        for (index, size) in rig.device.queueSizes.enumerated() {
            rig.driver[MMIO.queueSel] = UInt32(index)
            #expect(rig.driver[MMIO.queueNumMax] == UInt32(size) && size.nonzeroBitCount == 1 && size <= 32768)
        }
        rig.driver[MMIO.queueSel] = UInt32(rig.device.queueSizes.count)
        #expect(rig.driver[MMIO.queueNumMax] == 0)
    }

    // MARK: Activation

    @Test("serves nothing before DRIVER_OK, and then what is there already", arguments: all)
    func activation(name: String) throws {
        let rig = try Self.rig(name)
        try rig.reach(.configured)
        try rig.addRequest()
        #expect(rig.rings.allSatisfy { $0.usedIndex == 0 })
        rig.driver.driverOK()
        try rig.driver.wait(for: rig.rings[rig.servedQueue], used: 1)
    }

    @Test("works with the queues of a driver that sets up only some", arguments: all)
    func someQueues(name: String) throws {
        let rig = try Self.rig(name)
        for missing in rig.rings.indices {
            try rig.reach(.featuresOK, features: .max & ~MMIO.eventIndex)
            for (index, ring) in rig.rings.enumerated() where index != missing { rig.driver.configure(UInt32(index), ring) }
            rig.driver.driverOK()
            rig.driver.kick(UInt32(missing))
        }
        try rig.reach(.active)
        try rig.proveThatItWorks()
    }

    // MARK: Reset

    @Test("a reset in any state makes it as new", arguments: all, LifeState.allCases)
    func reset(name: String, state: LifeState) throws {
        let rig = try Self.rig(name)
        try rig.reach(state, features: .max)
        rig.driver.status = 0
        #expect(rig.driver.status == 0)
        try rig.reach(.active)
        try rig.proveThatItWorks()
    }

    @Test("a reset with requests in flight ends them", arguments: all)
    func resetInFlight(name: String) throws {
        let rig = try Self.rig(name)
        for _ in 0..<20 {
            try rig.reach(.active, features: .max & ~MMIO.eventIndex)
            for _ in 0..<4 { try rig.addRequest() }
            rig.driver.status = 0
            let used = rig.rings.map(\.usedIndex)
            try rig.reach(.configured)
            #expect(rig.rings.allSatisfy { $0.usedIndex == 0 }, "after \(used)")
        }
        try rig.reach(.active)
        try rig.proveThatItWorks()
    }

    @Test("a malformed chain stops it until it is reset", arguments: all, [0, MMIO.eventIndex])
    func malformed(name: String, feature: UInt64) throws {
        let rig = try Self.rig(name)
        try rig.reach(.active, features: feature)
        try rig.addMalformedChain()
        try rig.driver.waitForNeedsReset()
        #expect(rig.rings[rig.servedQueue].usedIndex == 0)
        try rig.reach(.active)
        try rig.proveThatItWorks()
    }

    // MARK: Saving

    @Test("what was saved in any state goes on in that state", arguments: all, LifeState.allCases)
    func saved(name: String, state: LifeState) throws {
        let rig = try Self.rig(name)
        try rig.reach(state)
        let next = try rig.restored()
        #expect(next.driver.status == rig.driver.status && next.device.configuration.count == rig.device.configuration.count)
        if state == .configured { next.driver.driverOK() }
        if state != .configured && state != .active { try next.reach(.active) }
        try next.proveThatItWorks()
    }

    @Test("saved twice in a row it is the same", arguments: all)
    func savedTwice(name: String) throws {
        let rig = try Self.rig(name)
        try rig.reach(.active)
        let next = try rig.restored().restored()
        try next.proveThatItWorks()
    }

    @Test("a device of another kind does not take its state", arguments: all, all)
    func otherKind(name: String, other: String) throws {
        guard name != other else { return }
        let rig = try Self.rig(name)
        try rig.reach(.active)
        rig.driver.transport.suspend()
        let target = try Self.rig(other)
        #expect(throws: SavedStateError.self) { try target.driver.transport.restore(rig.driver.transport.snapshot()) }
        rig.driver.transport.resume()
    }
}
