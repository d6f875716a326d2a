/// A virtio-mmio device, version 2 (virtio 1.2, 4.2.2).
struct VirtioDevice {
    enum Register {
        static let magic: UInt = 0x000
        static let version: UInt = 0x004
        static let deviceID: UInt = 0x008
        static let deviceFeatures: UInt = 0x010
        static let deviceFeaturesSelector: UInt = 0x014
        static let driverFeatures: UInt = 0x020
        static let driverFeaturesSelector: UInt = 0x024
        static let queueSelector: UInt = 0x030
        static let queueSizeMaximum: UInt = 0x034
        static let queueSize: UInt = 0x038
        static let queueReady: UInt = 0x044
        static let queueNotify: UInt = 0x050
        static let interruptStatus: UInt = 0x060
        static let interruptACK: UInt = 0x064
        static let status: UInt = 0x070
        static let queueDescriptors: UInt = 0x080
        static let queueDriver: UInt = 0x090
        static let queueDevice: UInt = 0x0A0
        static let configuration: UInt = 0x100
    }

    enum Status {
        static let acknowledge: UInt32 = 1
        static let driver: UInt32 = 2
        static let driverOK: UInt32 = 4
        static let featuresOK: UInt32 = 8
        static let needsReset: UInt32 = 64
        static let failed: UInt32 = 128
    }

    enum Feature {
        static let blockReadOnly: UInt64 = 1 << 5
        static let blockFlush: UInt64 = 1 << 9
        static let mergeable: UInt64 = 1 << 15
        static let indirectDescriptors: UInt64 = 1 << 28
        static let eventIndex: UInt64 = 1 << 29
        static let version1: UInt64 = 1 << 32
    }

    enum Kind {
        static let network: UInt32 = 1
        static let block: UInt32 = 2
        static let entropy: UInt32 = 4
    }

    static let magicValue: UInt32 = 0x7472_6976

    let base: UInt
    let slot: UInt

    /// The first device of a kind in the slots that the command line names, or svmm's.
    static func find(_ kind: UInt32) -> VirtioDevice? {
        let base = Options.number("virtio.base", default: 0xD000_0000)
        let stride = Options.number("virtio.stride", default: 0x1000)
        for slot in 0..<Options.number("virtio.slots", default: 18) {
            let device = VirtioDevice(base: UInt(base + slot * stride), slot: UInt(slot))
            if device[Register.magic] == magicValue && device[Register.deviceID] == kind {
                if device[Register.version] != 2 { fail("slot \(slot): version \(device[Register.version]), not 2") }
                return device
            }
        }
        return nil
    }

    static func require(_ kind: UInt32) -> VirtioDevice {
        guard let device = find(kind) else { fail("no virtio device of type \(kind)") }
        return device
    }

    subscript(register: UInt) -> UInt32 {
        get { load32(base + register) }
        nonmutating set { store32(base + register, newValue) }
    }

    var offeredFeatures: UInt64 {
        self[Register.deviceFeaturesSelector] = 0
        let low = self[Register.deviceFeatures]
        self[Register.deviceFeaturesSelector] = 1
        return UInt64(self[Register.deviceFeatures]) << 32 | UInt64(low)
    }

    func accept(_ features: UInt64) {
        self[Register.driverFeaturesSelector] = 0
        self[Register.driverFeatures] = UInt32(truncatingIfNeeded: features)
        self[Register.driverFeaturesSelector] = 1
        self[Register.driverFeatures] = UInt32(truncatingIfNeeded: features >> 32)
    }

    /// 64 bits as two registers, low half first.
    func setAddress(_ register: UInt, _ address: UInt64) {
        self[register] = UInt32(truncatingIfNeeded: address)
        self[register + 4] = UInt32(truncatingIfNeeded: address >> 32)
    }

    /// Asks for a reset and waits until the device says that it is done (4.2.2.2).
    func reset() {
        self[Register.status] = 0
        var deadline = Deadline()
        while self[Register.status] != 0 {
            if deadline.passed { fail("slot \(slot): reset never ends, status \(hex: self[Register.status])") }
        }
    }

    /// Reset to FEATURES_OK (3.1.1): what was accepted is what is both wanted and offered, VERSION_1 included.
    func negotiate(_ wanted: UInt64) -> UInt64 {
        reset()
        self[Register.status] = Status.acknowledge
        self[Register.status] = Status.acknowledge | Status.driver
        let features = offeredFeatures & (wanted | Feature.version1)
        if features & Feature.version1 == 0 { fail("slot \(slot): VERSION_1 is not offered") }
        accept(features)
        self[Register.status] = Status.acknowledge | Status.driver | Status.featuresOK
        if self[Register.status] & Status.featuresOK == 0 { fail("slot \(slot): features \(hex: features) refused") }
        return features
    }

    func setDriverOK() {
        self[Register.status] = Status.acknowledge | Status.driver | Status.featuresOK | Status.driverOK
    }
}
