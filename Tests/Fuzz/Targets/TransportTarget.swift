import GuestMemory
import LinuxSystem
import Synchronization
import TestSupport
import Virtio

/// The register block of a device that does nothing, beside a model of what it may answer.
enum TransportTarget {
    static let target = FuzzTarget("mmio-transport", maximumLength: 1024) { input in
        let guarded = try GuardedMemory(size: Bench.lowRAM + Bench.highRAM)
        let memory = guarded.memory
        let device = IdleDevice()
        let driver = try TransportDriver(device, memory: memory)
        let rings = [MockDriver(memory: memory, size: 8), MockDriver(memory: memory, size: 64, base: 0x2_0000)]
        while !input.isEmpty {
            let before = driver.status
            switch input.below(16) {
            case 0: try driver.start(rings[0], features: MMIO.version1)
            case 1: driver.negotiate(input.once(in: 2) ? MMIO.version1 | UInt64(input.below(4)) : input.number())
            case 2: driver.status = 0
                require(driver.status == 0, "status \(driver.status) after a reset")
            case 3: RegisterAccess.configuration(&input, on: driver)
            case 4: driver.driverOK()
            case 5: device.change(input.byte())
            default: RegisterAccess.perform(&input, on: driver, queues: rings)
            }
            check(driver, before, device)
        }
        driver.status = 0
        try driver.start(rings[0], features: MMIO.version1)
        require(device.isActive, "the device is not activated after a reset")
    }

    private static func check(_ driver: TransportDriver, _ before: UInt32, _ device: IdleDevice) {
        let status = driver.status
        require(driver[MMIO.magicValue] == 0x7472_6976 && driver[MMIO.version] == 2, "another magic value or version")
        // DEVICE_NEEDS_RESET is the device's.
        let bits = status & ~MMIO.needsReset
        if bits & MMIO.driverOK != 0 { require(bits & MMIO.featuresOK != 0, "DRIVER_OK without FEATURES_OK, from \(before) to \(status)") }
        if bits & MMIO.featuresOK != 0 { require(bits & MMIO.driver != 0, "FEATURES_OK without DRIVER, from \(before) to \(status)") }
        if bits & MMIO.driver != 0 { require(bits & MMIO.acknowledge != 0, "DRIVER without ACKNOWLEDGE, from \(before) to \(status)") }
        if bits & MMIO.driverOK == 0 { require(!device.isActive, "the device is active without DRIVER_OK") }
        if device.isActive { require(device.agreed & ~driver.offeredFeatures == 0 && device.agreed & MMIO.version1 != 0,
                                     "the device was activated with features \(device.agreed)") }
        require(device.isBalanced, "activate and reset do not alternate")
    }

    private final class IdleDevice: VirtioDevice {
        private struct State {
            var space: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
            var isActive = false
            var isBalanced = true
            var agreed: UInt64 = 0
        }

        private let state = Mutex(State())
        let type = DeviceType.entropy
        let features: UInt64 = 3
        let queueSizes: [UInt16] = [8, 64]
        var configuration: [UInt8] { state.withLock { $0.space } }
        var isActive: Bool { state.withLock { $0.isActive } }
        var isBalanced: Bool { state.withLock { $0.isBalanced } }
        var agreed: UInt64 { state.withLock { $0.agreed } }

        func change(_ byte: UInt8) {
            state.withLock { $0.space[Int(byte) % $0.space.count] = byte }
        }

        func writeConfiguration(_ bytes: ArraySlice<UInt8>, at offset: Int) {
            state.withLock { state in
                for (index, byte) in bytes.enumerated() { state.space[offset + index] = byte }
            }
        }

        func activate(_ context: DeviceContext) {
            state.withLock { state in
                if state.isActive || context.queues.count != 2 || context.kicks.count != 2 { state.isBalanced = false }
                state.isActive = true
                state.agreed = context.features
            }
        }

        func reset() {
            state.withLock { state in
                if !state.isActive { state.isBalanced = false }
                state.isActive = false
            }
        }
    }
}
