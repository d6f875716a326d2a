import GuestMemory
import TestSupport
import Virtio

/// A device of some kind, its driver and its guest's memory: for tests that every kind goes through.
public final class DeviceRig {
    private let bench: Bench

    public init(_ kind: DeviceKind) throws {
        var input = FuzzInput([])
        bench = try Bench(kind.make(&input))
    }

    private init(_ bench: Bench) {
        self.bench = bench
    }

    public var device: any VirtioDevice { bench.model.device }
    public var driver: TransportDriver { bench.driver }
    public var rings: [MockDriver] { bench.rings }
    /// Of a queue that is served without anything else happening.
    public var servedQueue: Int { bench.model.servedQueue }

    /// Fails the process unless the device, just started with no features but VERSION_1, serves its driver.
    public func proveThatItWorks() throws {
        try bench.model.proveThatItWorks(bench)
    }

    /// The driver's initialisation up to and with a state of the device's life.
    ///
    /// - Parameter features: beside VERSION_1; those that are not offered are left out.
    public func reach(_ state: LifeState, features: UInt64 = 0) throws {
        driver.status = 0
        for ring in rings { try ring.reset() }
        if state == .reset { return }
        driver.status = MMIO.acknowledge
        if state == .acknowledged { return }
        driver.status = MMIO.acknowledge | MMIO.driver
        if state == .driver { return }
        driver.setFeatures(features & driver.offeredFeatures | MMIO.version1)
        driver.status = MMIO.acknowledge | MMIO.driver | MMIO.featuresOK
        if state == .featuresOK { return }
        for (index, ring) in rings.enumerated() { driver.configure(UInt32(index), ring) }
        if state == .configured { return }
        driver.driverOK()
        if state == .active { return }
        try addMalformedChain()
        try driver.waitForNeedsReset()
    }

    /// A chain that names a descriptor beyond its table.
    public func addMalformedChain() throws {
        try rings[servedQueue].makeAvailable(rings[servedQueue].size)
        driver.kick(UInt32(servedQueue))
    }

    /// A request that the driver makes, without waiting for its answer.
    public func addRequest() throws {
        var input = FuzzInput([])
        let buffers = try bench.model.request(&input, queue: servedQueue, bench)
        try rings[servedQueue].add(buffers)
        driver.kick(UInt32(servedQueue))
    }

    /// The machine is saved and goes on as another; throws what a transport refuses.
    public func restored() throws -> DeviceRig {
        driver.transport.suspend()
        let next = try Bench(bench.model.renewed(), after: bench)
        try next.driver.transport.restore(driver.transport.snapshot())
        next.driver.transport.resume()
        return DeviceRig(next)
    }
}

/// The states that a driver takes a device through (virtio 1.2, 3.1.1), and the one that it takes itself to.
public enum LifeState: CaseIterable, Sendable {
    case reset, acknowledged, driver, featuresOK, configured, active, needsReset
}
