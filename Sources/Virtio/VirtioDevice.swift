import GuestMemory
import LinuxSystem

/// A device model. It knows nothing of registers, interrupts or KVM: the transport owns those.
///
/// `activate` and `reset` are called from vCPU threads, one at a time, always alternating; a device hands its work to its
/// own event loop.
public protocol VirtioDevice: AnyObject, Sendable {
    var type: DeviceType { get }
    /// Feature bits of the device type that it offers (bits 0 to 23 and 50 to 127; section 2.2).
    var features: UInt64 { get }
    /// The largest size of each queue.
    var queueSizes: [UInt16] { get }
    /// The device-specific configuration space, little-endian. It may change at any time, but not its length; the device
    /// then tells an active driver by `DeviceInterrupt.notifyConfigurationChange`.
    var configuration: [UInt8] { get }

    /// The driver writes bytes into the configuration space, inside its length. Nothing by default: most devices have no
    /// field that the driver may write.
    func writeConfiguration(_ bytes: ArraySlice<UInt8>, at offset: Int)
    /// Whether the configuration space can be written before there is a driver (DRIVER in the device status). False by default.
    var takesEarlyConfiguration: Bool { get }

    /// The driver is ready: serve the queues. What goes wrong from here on is reported by `context.fail()`.
    func activate(_ context: DeviceContext)
    /// Whether kicks are not to be signalled to another thread, but taken by `takeKick`.
    var takesKicks: Bool { get }
    /// The driver has made chains available in this queue of an active device. On the vCPU's thread, never at the same time as
    /// `activate` and `reset`: for work that takes less time than waking a thread.
    func takeKick(_ queue: Int)
    /// Stop. When it returns, the queues and guest memory are not touched any more.
    func reset()

    /// Stand still, to go on by `activate` with the same queues. When it returns, the queues and guest memory are not touched any
    /// more, and every chain that was taken is in the used ring, or was put back. From the thread that saves a machine whose vCPUs
    /// stand still, in the place of `reset`, which it is by default: for devices that keep nothing but their queues.
    func suspend()
    /// What a device that stands still keeps beside its queues and its backend, for another one; empty by default.
    var savedState: [UInt8] { get }
    /// Becomes what another device was: on a new device, whose `activate` follows. By default there is nothing to know.
    func restore(_ state: [UInt8]) throws(SavedStateError)
}

/// What cannot be taken over from a saved device: one line for the user, without the device's name.
public struct SavedStateError: Error, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

extension VirtioDevice {
    public func writeConfiguration(_ bytes: ArraySlice<UInt8>, at offset: Int) {}
    public var takesEarlyConfiguration: Bool { false }
    public var takesKicks: Bool { false }
    public func takeKick(_ queue: Int) {}
    public func suspend() { reset() }
    public var savedState: [UInt8] { [] }

    public func restore(_ state: [UInt8]) throws(SavedStateError) {
        guard state.isEmpty else {
            throw SavedStateError("\(state.count) bytes of the device's own state, expected none; it was saved by another version")
        }
    }
}

/// What a device is given when its driver is ready; it owns the queues from then on, until `reset`.
public struct DeviceContext: @unchecked Sendable {
    // Sound: the queues are handed over to the device's thread as a whole and used nowhere else.
    public let memory: GuestMemory
    /// The bits that both sides agreed upon.
    public let features: UInt64
    /// nil where the driver did not set up a queue.
    public let queues: [Virtqueue?]
    /// Signalled when the driver has made chains available, one for each queue.
    public let kicks: [EventNotifier]
    public let interrupt: DeviceInterrupt

    public init(memory: GuestMemory, features: UInt64, queues: [Virtqueue?], kicks: [EventNotifier], interrupt: DeviceInterrupt) {
        self.memory = memory
        self.features = features
        self.queues = queues
        self.kicks = kicks
        self.interrupt = interrupt
    }

    /// With one of the queues alone, for what serves that.
    public func part(_ queue: Int) -> DeviceContext {
        DeviceContext(memory: memory, features: features, queues: [queues[queue]], kicks: [kicks[queue]], interrupt: interrupt)
    }
}
