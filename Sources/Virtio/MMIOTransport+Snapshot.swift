import GuestMemory
import Synchronization
import Wire

/// All that a transport and its device are between two accesses of the driver, for another machine's transport of a device of the same
/// type.
public struct TransportSnapshot: Equatable, Sendable {
    var deviceType: UInt32
    var status: UInt8
    var deviceFeaturesSelector: UInt32
    var driverFeaturesSelector: UInt32
    var driverFeatures: UInt64
    var queueSelector: UInt32
    var queues: [QueueConfiguration]
    /// Of an active device: where it stands in each queue that is set up.
    var places: [Virtqueue.Position?]?
    var configuration: [UInt8]
    var configurationGeneration: UInt32
    var interruptStatus: UInt32
    var needsReset: Bool
    /// `VirtioDevice.savedState`
    var device: [UInt8]
}

extension MMIOTransport {
    public var deviceType: DeviceType { device.type }

    /// Has the device stand still until `resume`. The vCPUs stand still already, so that nobody writes a register meanwhile.
    public func suspend() {
        state.withLock { state in
            guard state.isActive else { return }
            device.suspend()
        }
    }

    /// Lets a device go on that stands still, or that was restored.
    public func resume() {
        state.withLock { state in
            // A device that waits for its driver's reset does nothing until then.
            guard state.isActive, !interrupt.isFailed else { return }
            device.activate(context(state))
            // What the driver has read may have changed meanwhile, or with a backend that is another one here.
            if device.configuration != state.configuration { interrupt.notifyConfigurationChange() }
        }
    }

    /// The state of a device that stands still.
    public func snapshot() -> TransportSnapshot {
        state.withLock { state in
            TransportSnapshot(
                deviceType: device.type.rawValue, status: state.status.rawValue,
                deviceFeaturesSelector: state.deviceFeaturesSelector, driverFeaturesSelector: state.driverFeaturesSelector,
                driverFeatures: state.driverFeatures, queueSelector: state.queueSelector, queues: state.queues,
                places: state.active.map { $0.map { $0?.place } }, configuration: state.configuration,
                configurationGeneration: state.configurationGeneration, interruptStatus: interrupt.saved,
                needsReset: interrupt.isFailed, device: device.savedState)
        }
    }

    /// Becomes what another transport was: on a new transport, before the machine runs. `resume` lets the device go on.
    public func restore(_ saved: TransportSnapshot) throws(SavedStateError) {
        guard saved.deviceType == device.type.rawValue else {
            throw SavedStateError("saved as a device of type \(saved.deviceType), expected one of type \(device.type.rawValue)")
        }
        let status = DeviceStatus(rawValue: saved.status)
        if status.contains(.featuresOK) { try check(saved.driverFeatures) }
        let restored = try state.withLock { (state) throws(SavedStateError) -> [Virtqueue?]? in
            guard saved.queues.map(\.maximumSize) == state.queues.map(\.maximumSize) else {
                throw SavedStateError("\(saved.queues.count) queues were saved, the device has \(state.queues.count), expected the same of the same sizes")
            }
            guard saved.configuration.count == state.configuration.count else {
                throw SavedStateError("a configuration space of \(saved.configuration.count) bytes was saved, expected \(state.configuration.count)")
            }
            var next = TransportState(queueSizes: saved.queues.map(\.maximumSize), configuration: saved.configuration)
            next.queues = saved.queues
            next.status = status
            next.deviceFeaturesSelector = saved.deviceFeaturesSelector
            next.driverFeaturesSelector = saved.driverFeaturesSelector
            next.driverFeatures = saved.driverFeatures
            next.queueSelector = saved.queueSelector
            next.configurationGeneration = saved.configurationGeneration
            if let places = saved.places {
                guard status.contains(.driverOK), status.contains(.featuresOK) else {
                    throw SavedStateError("saved as active with status \(saved.status), expected DRIVER_OK in it")
                }
                do throws(QueueError) {
                    next.active = try queues(of: next, at: places)
                } catch {
                    throw SavedStateError("its queues do not lie in the guest's memory (\(error))")
                }
            }
            state = next
            return next.active
        }
        try device.restore(saved.device)
        interrupt.restore(saved.interruptStatus, isFailed: saved.needsReset, isActive: restored != nil)
    }

    private func check(_ features: UInt64) throws(SavedStateError) {
        guard !accepts(features) else { return }
        let missing = (0..<64).filter { (features & ~offeredFeatures) >> UInt64($0) & 1 == 1 }
        throw SavedStateError(missing.isEmpty
            ? "the driver did not accept VIRTIO_F_VERSION_1, which every driver has to"
            : "the driver uses feature \(missing.map(String.init).joined(separator: ", ")), which the device does not offer here; its backend has to be like the one it was saved with")
    }
}

extension TransportSnapshot {
    /// Bytes of a device's own state at the most: that of a 9p device with all the files it may have open.
    private static let deviceLimit = 32 << 20
    private static let queueLimit = 1024
    private static let configurationLimit = 4096

    public func encode(_ encoder: inout WireEncoder) {
        encoder.encode(deviceType)
        encoder.encode(status)
        encoder.encode(deviceFeaturesSelector)
        encoder.encode(driverFeaturesSelector)
        encoder.encode(driverFeatures)
        encoder.encode(queueSelector)
        encoder.encode(queues) { $1.encode(&$0) }
        encoder.encode(places) { encoder, places in
            encoder.encode(places) { encoder, place in
                encoder.encode(place) { encoder, place in
                    encoder.encode(place.nextAvailable)
                    encoder.encode(place.nextUsed)
                    encoder.encode(place.consideredUsed)
                }
            }
        }
        encoder.encode(configuration)
        encoder.encode(configurationGeneration)
        encoder.encode(interruptStatus)
        encoder.encode(needsReset)
        encoder.encode(device)
    }

    public init(_ decoder: inout WireDecoder) throws(WireError) {
        deviceType = try decoder.decode(UInt32.self)
        status = try decoder.decode(UInt8.self)
        deviceFeaturesSelector = try decoder.decode(UInt32.self)
        driverFeaturesSelector = try decoder.decode(UInt32.self)
        driverFeatures = try decoder.decode(UInt64.self)
        queueSelector = try decoder.decode(UInt32.self)
        queues = try decoder.decodeArray(limit: Self.queueLimit) { (decoder) throws(WireError) in try QueueConfiguration(&decoder) }
        places = try decoder.decodeOptional { (decoder) throws(WireError) in
            try decoder.decodeArray(limit: Self.queueLimit) { (decoder) throws(WireError) in
                try decoder.decodeOptional { (decoder) throws(WireError) in
                    var place = Virtqueue.Position()
                    place.nextAvailable = try decoder.decode(UInt16.self)
                    place.nextUsed = try decoder.decode(UInt16.self)
                    place.consideredUsed = try decoder.decode(UInt16.self)
                    return place
                }
            }
        }
        configuration = try decoder.decodeBytes(limit: Self.configurationLimit)
        configurationGeneration = try decoder.decode(UInt32.self)
        interruptStatus = try decoder.decode(UInt32.self)
        needsReset = try decoder.decode(Bool.self)
        device = try decoder.decodeBytes(limit: Self.deviceLimit)
    }
}

extension QueueConfiguration {
    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(maximumSize)
        encoder.encode(size)
        encoder.encode(isReady)
        encoder.encode(descriptorTable)
        encoder.encode(availableRing)
        encoder.encode(usedRing)
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        self.init(maximumSize: try decoder.decode(UInt16.self))
        size = try decoder.decode(UInt16.self)
        isReady = try decoder.decode(Bool.self)
        descriptorTable = try decoder.decode(UInt64.self)
        availableRing = try decoder.decode(UInt64.self)
        usedRing = try decoder.decode(UInt64.self)
    }
}
