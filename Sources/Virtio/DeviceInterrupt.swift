import LinuxSystem
import Synchronization

/// The device's way to its driver: interrupt status bits and the interrupt line behind them. From any thread.
public final class DeviceInterrupt: Sendable {
    /// VIRTIO_MMIO_INT_VRING and VIRTIO_MMIO_INT_CONFIG (virtio 1.2, 4.2.2, InterruptStatus).
    private static let usedBuffer: UInt32 = 1
    private static let configurationChange: UInt32 = 2

    private let line: EventNotifier
    private let pending = Atomic<UInt32>(0)
    private let needsReset = Atomic<Bool>(false)
    private let isDelegated = Atomic<Bool>(false)

    /// - Parameter line: each signal is one edge of the interrupt.
    public init(line: EventNotifier) {
        self.line = line
    }

    /// Buffers were used and the driver asked to be told.
    public func notifyUsedBuffers() {
        pending.bitwiseOr(Self.usedBuffer, ordering: .sequentiallyConsistent)
        line.signal()
    }

    /// Hands the interrupt line to a part of the host's kernel that serves the queues, until the device is reset: it signals the
    /// descriptor, which is borrowed. As it cannot set the status bit that says why, the bit is always set from now on; drivers
    /// that look at their queues and find nothing new let it be.
    public func delegate() -> Int32 {
        isDelegated.store(true, ordering: .sequentiallyConsistent)
        return line.raw
    }

    /// The configuration space has changed. What the driver reads already shows the new values.
    public func notifyConfigurationChange() {
        pending.bitwiseOr(Self.configurationChange, ordering: .sequentiallyConsistent)
        line.signal()
    }

    /// The device can go no further until it is reset (DEVICE_NEEDS_RESET).
    public func fail() {
        needsReset.store(true, ordering: .sequentiallyConsistent)
        pending.bitwiseOr(Self.configurationChange, ordering: .sequentiallyConsistent)
        line.signal()
    }

    var status: UInt32 {
        pending.load(ordering: .sequentiallyConsistent)
            | (isDelegated.load(ordering: .sequentiallyConsistent) ? Self.usedBuffer : 0)
    }

    var isFailed: Bool { needsReset.load(ordering: .sequentiallyConsistent) }

    /// Without what a delegated line adds.
    var saved: UInt32 { pending.load(ordering: .sequentiallyConsistent) }

    /// As a saved device had it, and one more word to the driver, which may have been on its way then: finding nothing new is no
    /// harm to it.
    func restore(_ bits: UInt32, isFailed: Bool, isActive: Bool) {
        let known = Self.usedBuffer | Self.configurationChange
        pending.store(bits & known | (isActive ? Self.usedBuffer : 0), ordering: .sequentiallyConsistent)
        needsReset.store(isFailed, ordering: .sequentiallyConsistent)
        if status != 0 { line.signal() }
    }

    func acknowledge(_ bits: UInt32) {
        pending.bitwiseAnd(~bits, ordering: .sequentiallyConsistent)
    }

    func reset() {
        pending.store(0, ordering: .sequentiallyConsistent)
        needsReset.store(false, ordering: .sequentiallyConsistent)
        isDelegated.store(false, ordering: .sequentiallyConsistent)
    }
}
