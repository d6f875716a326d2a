import GuestMemory
import LinuxSystem
import Synchronization

/// The virtio-mmio register block of one device, version 2 (virtio 1.2, section 4.2).
///
///     reset ──ACKNOWLEDGE──► acknowledged ──DRIVER──► driver ──FEATURES_OK──► configured ──DRIVER_OK──► active
///       ▲                                            (features                (queues                    (queues
///       └──────────────── Status = 0 ────────────────written here)────────────written here)──────────────frozen)
///
/// A bit set out of this order, or taken back without a reset, is ignored; so is every register written in a state in
/// which it means nothing. Accesses from any vCPU thread; they are serialised here.
public final class MMIOTransport: Sendable {
    /// Bytes of guest-physical address space.
    public static let windowSize: UInt64 = 0x1000
    /// Where the driver writes a queue's index to kick it.
    public static let queueNotifyOffset: UInt64 = 0x50

    let device: any VirtioDevice
    let memory: GuestMemory
    let interrupt: DeviceInterrupt
    let offeredFeatures: UInt64
    /// Signalled by kicks, one for each queue, for as long as the transport lives: KVM signals them too.
    public let kicks: [EventNotifier]
    /// Whether the device takes kicks itself, so that KVM must not.
    public var deviceTakesKicks: Bool { device.takesKicks }
    let state: Mutex<TransportState>

    /// - Parameter interruptLine: each signal is one edge of the device's interrupt.
    public init(device: any VirtioDevice, memory: GuestMemory, interruptLine: EventNotifier) throws(Errno) {
        self.device = device
        self.memory = memory
        interrupt = DeviceInterrupt(line: interruptLine)
        offeredFeatures = device.features | FeatureBits.transport.rawValue
        let sizes = device.queueSizes
        var kicks: [EventNotifier] = []
        for _ in sizes { kicks.append(try EventNotifier()) }
        self.kicks = kicks
        state = Mutex(TransportState(queueSizes: sizes, configuration: device.configuration))
    }

    /// Answers a read of `size` bytes at an offset in the window. What does not exist reads as zero.
    public func read(offset: UInt64, size: Int) -> UInt64 {
        if offset >= Register.configuration {
            return readConfiguration(offset: offset - Register.configuration, size: size)
        }
        guard size == 4 else { return 0 }
        return UInt64(state.withLock { readRegister(offset, &$0) })
    }

    /// Takes a write of `size` bytes at an offset in the window. What does not exist, or not now, is ignored.
    public func write(offset: UInt64, size: Int, value: UInt64) {
        if offset >= Register.configuration {
            return writeConfiguration(offset: offset - Register.configuration, size: size, value: value)
        }
        guard size == 4 else { return }
        state.withLock { writeRegister(offset, UInt32(truncatingIfNeeded: value), &$0) }
    }

    /// As at power-on: for a machine that restarts.
    public func reset() {
        state.withLock { reset(&$0) }
    }

    private func readConfiguration(offset: UInt64, size: Int) -> UInt64 {
        state.withLock { state in
            state.noteConfiguration(device.configuration)
            guard let range = Self.range(offset, size, in: state.configuration) else { return 0 }
            return state.configuration[range].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    private func writeConfiguration(offset: UInt64, size: Int, value: UInt64) {
        state.withLock { state in
            // The driver configures the device once it has found it (virtio 1.2, 3.1.1), not before.
            guard state.status.contains(.driver) || device.takesEarlyConfiguration,
                  let range = Self.range(offset, size, in: state.configuration) else { return }
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
            device.writeConfiguration(bytes[...], at: range.lowerBound)
        }
    }

    /// `size` bytes at `offset`; nil when they are not all inside.
    private static func range(_ offset: UInt64, _ size: Int, in bytes: [UInt8]) -> Range<Int>? {
        guard offset <= UInt64(bytes.count), size >= 0, size <= bytes.count - Int(offset) else { return nil }
        return Int(offset)..<(Int(offset) + size)
    }

    private func readRegister(_ offset: UInt64, _ state: inout TransportState) -> UInt32 {
        switch offset {
        case Register.magicValue: return 0x7472_6976  // "virt"
        case Register.version: return 2
        case Register.deviceID: return device.type.rawValue
        case Register.vendorID: return 0x4D4D_5653  // "SVMM"
        case Register.deviceFeatures: return Self.word(offeredFeatures, state.deviceFeaturesSelector)
        case Register.queueNumMax: return UInt32(state.selectedQueue?.maximumSize ?? 0)
        case Register.queueReady: return state.selectedQueue?.isReady == true ? 1 : 0
        case Register.interruptStatus: return interrupt.status
        case Register.status: return UInt32(status(state).rawValue)
        // No shared memory regions: a length and a base of all ones (4.2.2).
        case Register.shmLenLow, Register.shmLenHigh, Register.shmBaseLow, Register.shmBaseHigh: return .max
        case Register.configGeneration:
            state.noteConfiguration(device.configuration)
            return state.configurationGeneration
        default: return 0
        }
    }

    private func writeRegister(_ offset: UInt64, _ value: UInt32, _ state: inout TransportState) {
        switch offset {
        case Register.deviceFeaturesSel: state.deviceFeaturesSelector = value
        case Register.driverFeaturesSel: state.driverFeaturesSelector = value
        case Register.driverFeatures: state.writeDriverFeatures(value)
        case Register.queueSel: state.queueSelector = value
        case Register.queueNotify: notify(queue: value, state)
        case Register.interruptACK: interrupt.acknowledge(value)
        case Register.status: writeStatus(value, &state)
        default: state.writeQueueRegister(offset, value)
        }
    }

    private static func word(_ features: UInt64, _ selector: UInt32) -> UInt32 {
        switch selector {
        case 0: UInt32(truncatingIfNeeded: features)
        case 1: UInt32(truncatingIfNeeded: features >> 32)
        default: 0
        }
    }

    private func status(_ state: borrowing TransportState) -> DeviceStatus {
        interrupt.isFailed ? state.status.union(.needsReset) : state.status
    }

    /// Kicks that KVM did not take, for example because they came with another width of address or data.
    private func notify(queue: UInt32, _ state: borrowing TransportState) {
        guard state.status.contains(.driverOK), queue < kicks.count else { return }
        guard device.takesKicks else { return kicks[Int(queue)].signal() }
        if state.isActive { device.takeKick(Int(queue)) }
    }

    private func writeStatus(_ value: UInt32, _ state: inout TransportState) {
        if value == 0 { return reset(&state) }
        let wanted = DeviceStatus(rawValue: UInt8(truncatingIfNeeded: value))
        guard wanted.isSuperset(of: state.status.subtracting(.needsReset)) else { return }
        if wanted.contains(.failed) { state.status.insert(.failed) }
        if wanted.contains(.acknowledge) { state.status.insert(.acknowledge) }
        if wanted.contains(.driver), state.status.contains(.acknowledge) { state.status.insert(.driver) }
        if wanted.contains(.featuresOK), state.status.contains(.driver), accepts(state.driverFeatures) {
            state.status.insert(.featuresOK)
        }
        if wanted.contains(.driverOK), state.status.contains(.featuresOK), !state.status.contains(.driverOK) {
            activate(&state)
        }
    }

    func accepts(_ features: UInt64) -> Bool {
        features & ~offeredFeatures == 0 && features & FeatureBits.version1.rawValue != 0
    }

    private func activate(_ state: inout TransportState) {
        state.status.insert(.driverOK)
        do throws(QueueError) {
            state.active = try queues(of: state)
            device.activate(context(state))
        } catch {
            interrupt.fail()
        }
    }

    /// The queues that the driver has set up, checked.
    ///
    /// - Parameter places: where to go on in each; from the beginning where there is none.
    func queues(of state: borrowing TransportState, at places: [Virtqueue.Position?] = []) throws(QueueError) -> [Virtqueue?] {
        var queues: [Virtqueue?] = []
        for (index, configuration) in state.queues.enumerated() {
            guard configuration.isReady else {
                queues.append(nil)
                continue
            }
            let place = index < places.count ? places[index] : nil
            queues.append(try Virtqueue(configuration, memory: memory, features: FeatureBits(rawValue: state.driverFeatures),
                                        at: place ?? Virtqueue.Position()))
        }
        return queues
    }

    func context(_ state: borrowing TransportState) -> DeviceContext {
        DeviceContext(memory: memory, features: state.driverFeatures, queues: state.active ?? [], kicks: kicks, interrupt: interrupt)
    }

    private func reset(_ state: inout TransportState) {
        if state.isActive { device.reset() }
        for kick in kicks { kick.take() }
        interrupt.reset()
        state.reset()
    }
}

/// Offsets of the registers (virtio 1.2, table in 4.2.2).
enum Register {
    static let magicValue: UInt64 = 0x000
    static let version: UInt64 = 0x004
    static let deviceID: UInt64 = 0x008
    static let vendorID: UInt64 = 0x00C
    static let deviceFeatures: UInt64 = 0x010
    static let deviceFeaturesSel: UInt64 = 0x014
    static let driverFeatures: UInt64 = 0x020
    static let driverFeaturesSel: UInt64 = 0x024
    static let queueSel: UInt64 = 0x030
    static let queueNumMax: UInt64 = 0x034
    static let queueNum: UInt64 = 0x038
    static let queueReady: UInt64 = 0x044
    static let queueNotify: UInt64 = MMIOTransport.queueNotifyOffset
    static let interruptStatus: UInt64 = 0x060
    static let interruptACK: UInt64 = 0x064
    static let status: UInt64 = 0x070
    static let queueDescLow: UInt64 = 0x080
    static let queueDescHigh: UInt64 = 0x084
    static let queueDriverLow: UInt64 = 0x090
    static let queueDriverHigh: UInt64 = 0x094
    static let queueDeviceLow: UInt64 = 0x0A0
    static let queueDeviceHigh: UInt64 = 0x0A4
    static let shmLenLow: UInt64 = 0x0B0
    static let shmLenHigh: UInt64 = 0x0B4
    static let shmBaseLow: UInt64 = 0x0B8
    static let shmBaseHigh: UInt64 = 0x0BC
    static let configGeneration: UInt64 = 0x0FC
    static let configuration: UInt64 = 0x100
}
