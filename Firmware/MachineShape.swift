/// The part of a machine that differs from one to the next, as far as its firmware describes it.
public struct MachineShape: Sendable, Equatable {
    /// In `PlatformMap.processorCounts`.
    public var processorCount: Int
    /// In the order in which the guest is to find them.
    public var virtioDevices: [VirtioWindow]

    public init(processorCount: Int, virtioDevices: [VirtioWindow] = []) {
        self.processorCount = processorCount
        self.virtioDevices = virtioDevices
    }
}

/// The registers and the interrupt of one virtio device on the MMIO transport (virtio 1.2, section 4.2).
public struct VirtioWindow: Sendable, Equatable {
    /// Guest physical address, below 4 GiB.
    public var address: UInt64
    /// In bytes.
    public var size: UInt64
    /// One of `PlatformMap.assignableGSIs`, edge triggered, active high. Windows may share one.
    public var gsi: UInt32

    public init(address: UInt64, size: UInt64 = 0x1000, gsi: UInt32) {
        self.address = address
        self.size = size
        self.gsi = gsi
    }
}

/// Why a machine of some shape cannot be described to its guest.
public enum FirmwareError: Error, Equatable {
    case processorCount(Int, allowed: ClosedRange<Int>)
    /// The window is empty or does not end at or below 4 GiB.
    case windowOutOfRange(VirtioWindow)
    /// The window shares bytes with another one, or with an interrupt controller.
    case windowOverlap(VirtioWindow)
    /// The window's GSI is beyond the I/O APIC or belongs to a fixed device.
    case interruptNotAssignable(VirtioWindow)
    /// There are so many devices that their tables do not fit below the MP table.
    case tablesTooLarge(capacity: Int)
}

extension FirmwareError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .processorCount(let count, let allowed):
            "\(count) processors, where \(allowed.lowerBound) to \(allowed.upperBound) are possible"
        case .windowOutOfRange(let window):
            "the virtio window \(window) is empty or ends above 4 GiB"
        case .windowOverlap(let window):
            "the virtio window \(window) overlaps another one or an interrupt controller"
        case .interruptNotAssignable(let window):
            "the virtio window \(window) asks for an interrupt that is not free on this platform"
        case .tablesTooLarge(let capacity):
            "the ACPI tables need more than \(capacity) bytes"
        }
    }
}

extension VirtioWindow: CustomStringConvertible {
    public var description: String {
        "0x\(String(address, radix: 16)) (0x\(String(size, radix: 16)) bytes, GSI \(gsi))"
    }
}

extension MachineShape {
    /// Throws unless the tables can describe this shape truthfully.
    func validate() throws(FirmwareError) {
        guard PlatformMap.processorCounts.contains(processorCount) else {
            throw .processorCount(processorCount, allowed: PlatformMap.processorCounts)
        }
        // A device object has three hexadecimal digits in its name. The space for tables ends long before them.
        guard virtioDevices.count <= 0xFFF else {
            throw .tablesTooLarge(capacity: ACPITables.capacity)
        }
        let end: UInt64 = 1 << 32
        for window in virtioDevices {
            guard window.size > 0, window.address < end, window.size <= end - window.address else {
                throw .windowOutOfRange(window)
            }
            guard PlatformMap.assignableGSIs.contains(window.gsi) else {
                throw .interruptNotAssignable(window)
            }
        }
        let interruptControllers = [PlatformMap.ioAPICAddress, PlatformMap.localAPICAddress].map {
            VirtioWindow(address: UInt64($0), gsi: 0)
        }
        let ascending = (virtioDevices + interruptControllers).sorted { $0.address < $1.address }
        for (lower, upper) in zip(ascending, ascending.dropFirst()) where upper.address - lower.address < lower.size {
            throw .windowOverlap(virtioDevices.contains(upper) ? upper : lower)
        }
    }
}
