/// The driver's side of a split virtqueue (virtio 1.2, 2.7), polled.
struct Virtqueue {
    struct Descriptor {
        static let next: UInt16 = 1
        static let write: UInt16 = 2
        static let indirect: UInt16 = 4
        static let bytes: UInt = 16
    }

    struct Completion {
        var head: UInt16
        var length: UInt32
    }

    enum Interrupts {
        case suppressed
        case wanted
    }

    let device: VirtioDevice
    let index: UInt32
    let size: UInt16
    let descriptors: UInt
    let driverArea: UInt
    let deviceArea: UInt
    private let usesEventIndex: Bool
    private let interrupts: Interrupts
    private var available: UInt16 = 0
    private var notified: UInt16 = 0
    private var used: UInt16 = 0

    /// Lays the rings out in the arena and gives them to the device, which has to be at FEATURES_OK. `limit` bounds
    /// the size.
    init(
        _ device: VirtioDevice, index: UInt32 = 0, features: UInt64, limit: UInt32 = 256,
        interrupts: Interrupts = .suppressed
    ) {
        self.device = device
        self.index = index
        self.interrupts = interrupts
        usesEventIndex = features & VirtioDevice.Feature.eventIndex != 0
        device[VirtioDevice.Register.queueSelector] = index
        let maximum = device[VirtioDevice.Register.queueSizeMaximum]
        if maximum == 0 { fail("slot \(device.slot): no queue \(index)") }
        if device[VirtioDevice.Register.queueReady] != 0 {
            fail("slot \(device.slot): queue \(index) is ready after a reset")
        }
        size = UInt16(min(maximum, limit))
        descriptors = Arena.take(UInt(size) * Descriptor.bytes, alignment: 16)
        driverArea = Arena.take(UInt(size) * 2 + 6, alignment: 2)
        deviceArea = Arena.take(UInt(size) * 8 + 6, alignment: 4)
        device[VirtioDevice.Register.queueSize] = UInt32(size)
        device.setAddress(VirtioDevice.Register.queueDescriptors, UInt64(descriptors))
        device.setAddress(VirtioDevice.Register.queueDriver, UInt64(driverArea))
        device.setAddress(VirtioDevice.Register.queueDevice, UInt64(deviceArea))
        askForInterrupts()
        device[VirtioDevice.Register.queueReady] = 1
        if device[VirtioDevice.Register.queueReady] != 1 {
            fail("slot \(device.slot): queue \(index) does not become ready")
        }
    }

    /// NO_INTERRUPT, or a used_event half the counter's range behind what has been seen.
    private func askForInterrupts() {
        if usesEventIndex {
            store16(driverArea + 4 + UInt(size) * 2, interrupts == .wanted ? used : used &- 0x8000)
        } else {
            store16(driverArea, interrupts == .wanted ? 0 : 1)
        }
    }

    static func writeDescriptor(_ at: UInt, address: UInt64, length: UInt32, flags: UInt16, next: UInt16) {
        store64(at, address)
        store32(at + 8, length)
        store16(at + 12, flags)
        store16(at + 14, next)
    }

    func setDescriptor(_ number: UInt16, address: UInt64, length: UInt32, flags: UInt16, next: UInt16 = 0) {
        Self.writeDescriptor(
            descriptors + UInt(number) * Descriptor.bytes, address: address, length: length, flags: flags, next: next)
    }

    /// Puts a chain into the available ring; the device may see it at the next `notify`.
    mutating func add(head: UInt16) {
        store16(driverArea + 4 + UInt(available % size) * 2, head)
        available &+= 1
    }

    /// Publishes what was added and notifies the device if it asked to be.
    mutating func notify() {
        publish()
        let isNeeded: Bool
        if usesEventIndex {
            let event = load16(deviceArea + 4 + UInt(size) * 8)
            isNeeded = available &- event &- 1 < available &- notified
        } else {
            isNeeded = load16(deviceArea) & 1 == 0
        }
        notified = available
        if isNeeded { device[VirtioDevice.Register.queueNotify] = index }
    }

    /// `ahead` lies about how many chains there are.
    func publish(ahead: UInt16 = 0) {
        fence()
        store16(driverArea + 2, available &+ ahead)
        fence()
    }

    mutating func next() -> Completion? {
        if load16(deviceArea + 2) == used { return nil }
        fence()
        let element = deviceArea + 4 + UInt(used % size) * 8
        let head = load32(element)
        if head >= UInt32(size) { fail("used ring names descriptor \(head) of \(size)") }
        used &+= 1
        askForInterrupts()
        return Completion(head: UInt16(head), length: load32(element + 4))
    }

    mutating func wait(_ what: StaticString) -> Completion {
        var deadline = Deadline()
        while true {
            if let completion = next() { return completion }
            if deadline.passed { fail("\(what): no completion, status \(hex: device[VirtioDevice.Register.status])") }
        }
    }
}
