import Glibc
import GuestMemory
import LinuxSystem
import TestSupport
import Virtio

/// Guest memory with a device and its driver: what a fuzz target and the tests that every device runs through have in common.
final class Bench {
    /// Where buffers of well-formed chains lie: above the rings, which take less than a MiB.
    static let data: GuestAddress = 0x10_0000
    static let dataCount = 0x20_0000
    /// Where indirect tables lie.
    static let tables: GuestAddress = 0x30_0000
    /// Below the hole at 3 GiB, and above 4 GiB.
    static let lowRAM = RAMLayout.holeStart
    static let highRAM: UInt64 = 4 << 20

    private let guarded: GuardedMemory
    var memory: GuestMemory { guarded.memory }
    let model: any DeviceModel
    let driver: TransportDriver
    let rings: [MockDriver]
    /// Whether the driver has made nothing available but what it should, and has kept its buffers away from its rings, since the
    /// rings were empty: only then do their indices mean anything.
    var isHonest = true
    private var slot = 0

    /// - Parameter old: what was there before the machine was saved; nil: new memory.
    init(_ model: any DeviceModel, after old: Bench? = nil) throws {
        self.model = model
        guarded = try old?.guarded ?? GuardedMemory(size: Self.lowRAM + Self.highRAM)
        let memory = guarded.memory
        driver = try TransportDriver(model.device, memory: memory)
        // The driver goes on where it was.
        rings = old?.rings ?? model.device.queueSizes.enumerated().map { index, size in
            MockDriver(memory: memory, size: min(size, 16), base: 0x1_0000 + 0x2000 * UInt64(index))
        }
    }

    deinit {
        driver.status = 0
        model.finish()
    }

    /// The driver's initialisation, with empty rings.
    func start(features: UInt64) throws {
        driver.status = 0
        for ring in rings { try ring.reset() }
        isHonest = true
        require(driver.negotiate(features & driver.offeredFeatures | MMIO.version1), "features that are offered are not taken")
        for (index, ring) in rings.enumerated() { driver.configure(UInt32(index), ring) }
        driver.driverOK()
    }

    /// An area for so many bytes, at most 64 KiB, which is used again after some others.
    func area(_ count: Int) -> GuestAddress {
        slot = (slot + 1) % 32
        return Self.data + UInt64(slot * 0x1_0000)
    }

    /// A buffer for the device to read, with these bytes.
    func readable(_ bytes: [UInt8]) throws -> MockDriver.Buffer {
        let bytes = Array(bytes.prefix(0x1_0000))
        let place = area(bytes.count)
        try memory.write(bytes, at: place)
        return .readable(place, UInt32(bytes.count))
    }

    func writable(_ count: Int) -> MockDriver.Buffer {
        let count = min(count, 0x1_0000)
        return .writable(area(count), UInt32(count))
    }

    /// Waits until the device has used so many chains of a queue in all: a device that does not is broken.
    func wait(_ queue: Int, used count: UInt16) {
        while rings[queue].usedIndex != count {
            let isSignalled = Self.isReadable(driver.line.raw)
            let used = rings[queue].usedIndex
            require(isSignalled, "queue \(queue): \(used) of \(count) chains are used, status \(driver.status), and no interrupt comes")
            driver.line.take()
        }
    }

    private static func isReadable(_ raw: Int32) -> Bool {
        var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        while true {
            let count = poll(&entry, 1, patience)
            // Less than 0: one of the fuzzer's signals.
            if count >= 0 { return count > 0 }
        }
    }

    /// Milliseconds: more than anything takes on a machine that is busy.
    private static let patience: Int32 = 20_000

    /// No device uses what it was not given.
    func checkIndices() {
        guard isHonest else { return }
        for (index, ring) in rings.enumerated() {
            let used = ring.usedIndex
            let available = ring.availableIndex
            // Neither has come far enough to wrap, and an index that went back would be as good as one that passed the other.
            require(used <= available, "queue \(index): used.idx \(used) passes avail.idx \(available)")
        }
    }
}
