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

    let memory: GuestMemory
    let model: any DeviceModel
    let driver: TransportDriver
    let rings: [MockDriver]
    /// Whether the driver has made nothing available but what it should, and has kept its buffers away from its rings, since the
    /// rings were empty: only then do their indices mean anything.
    var isHonest = true
    private var slot = 0

    /// - Parameter memory: that of the machine that was before; nil: new memory.
    init(_ model: any DeviceModel, memory old: GuestMemory? = nil) throws {
        self.model = model
        memory = try old ?? Self.makeMemory()
        driver = try TransportDriver(model.device, memory: memory)
        let memory = memory
        rings = model.device.queueSizes.enumerated().map { index, size in
            MockDriver(memory: memory, size: min(size, 16), base: 0x1_0000 + 0x2000 * UInt64(index))
        }
    }

    private static func makeMemory() throws -> GuestMemory {
        guard let layout = RAMLayout(size: lowRAM + highRAM) else { throw Errno.invalidArgument }
        let memory = try GuestMemory(layout: layout)
        memory.forEachRegion { region, host in
            // Runs are many and touch little.
            _ = madvise(host, Int(region.count), MADV_NOHUGEPAGE)
        }
        // Whoever reads or writes behind guest memory meets a page that may not be touched. Where another mapping is there
        // already, that is as it is.
        memory.forEachRegion { region, host in
            guard region == layout.high else { return }
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | 0x10_0000  // MAP_FIXED_NOREPLACE
            _ = mmap(host + Int(region.count), 1 << 16, PROT_NONE, flags, -1, 0)
        }
        return memory
    }

    deinit {
        driver.status = 0
        model.finish()
        memory.forEachRegion { region, host in
            if region.start != 0 { munmap(host + Int(region.count), 1 << 16) }
        }
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
    func wait(_ queue: Int, used count: UInt16) throws {
        try driver.wait(for: rings[queue], used: count)
    }

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

/// A device with its backend, and what a driver of it would ask.
protocol DeviceModel: AnyObject {
    var device: any VirtioDevice { get }
    /// When it returns, the device has done what it can with what it was given, unless it waits for the kernel.
    func settle()
    /// A request that a driver could make on this queue, more or less.
    func request(_ input: inout FuzzInput, queue: Int, _ bench: Bench) throws -> [MockDriver.Buffer]
    /// Something happens on the host's side.
    func hostEvent(_ input: inout FuzzInput) throws
    /// A new device with the same backend, as a restored machine has.
    func renewed() throws -> any DeviceModel
    /// Fails unless a driver that has just started the device, with no features but VERSION_1, is served.
    func proveThatItWorks(_ bench: Bench) throws
    /// The run is over, and the device was reset.
    func finish()
}

extension DeviceModel {
    func hostEvent(_ input: inout FuzzInput) throws {}
    func finish() {}
}
