/// A device behind I/O ports. Called from vCPU threads, several at a time.
public protocol PortDevice: AnyObject, Sendable {
    /// Answers a read of 1, 2 or 4 bytes at an offset from the device's first port.
    func read(offset: UInt16, size: Int) -> UInt32
    func write(offset: UInt16, size: Int, value: UInt32)
}

/// Which device answers at which port. Made once; reads of nobody's port give all ones, writes are lost, as on a PC.
public struct PortBus: Sendable {
    private struct Range: Sendable {
        let first: UInt16
        let last: UInt16
        let device: any PortDevice
    }

    private var ranges: [Range] = []

    public init() {}

    public mutating func attach(_ device: any PortDevice, at first: UInt16, count: UInt16) {
        ranges.append(Range(first: first, last: first + (count - 1), device: device))
    }

    public func read(port: UInt16, size: Int) -> UInt32 {
        guard let range = find(port) else { return .max }
        return range.device.read(offset: port - range.first, size: size)
    }

    public func write(port: UInt16, size: Int, value: UInt32) {
        guard let range = find(port) else { return }
        range.device.write(offset: port - range.first, size: size, value: value)
    }

    /// A machine has about six ranges: looking at each is quicker than anything clever.
    private func find(_ port: UInt16) -> Range? {
        for range in ranges where port >= range.first && port <= range.last { return range }
        return nil
    }
}

/// What a guest does to its machine as a whole.
public enum MachineEvent: Sendable, Equatable {
    case powerOff, reset, panic
}

/// Takes machine events: from vCPU threads, at any time.
public typealias MachineEventHandler = @Sendable (MachineEvent) -> Void

/// Sets the level of an interrupt line: from any thread, under the device's own lock.
public typealias InterruptLevelHandler = @Sendable (Bool) -> Void
