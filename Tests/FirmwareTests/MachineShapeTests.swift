import Firmware
import Testing

@Suite("Machine shapes")
struct MachineShapeTests {
    @Test("the largest machine has firmware: 64 processors, and a device for every free interrupt")
    func largest() throws {
        let devices = PlatformMap.assignableGSIs.count
        #expect(devices >= 18)
        let guest = try GuestView(processors: 64, virtioDevices: devices)
        #expect(try guest.tables().count == 5)
    }

    @Test("a processor count out of range is refused", arguments: [.min, -1, 0, 65, .max])
    func processorCount(count: Int) {
        #expect(throws: FirmwareError.processorCount(count, allowed: 1...64)) {
            try makeFirmware(for: MachineShape(processorCount: count))
        }
    }

    @Test("a window that is empty or reaches beyond 4 GiB is refused", arguments: [
        VirtioWindow(address: 0xD000_0000, size: 0, gsi: 16),
        VirtioWindow(address: 0x1_0000_0000, gsi: 16),
        VirtioWindow(address: 0xFFFF_F000, size: 0x1001, gsi: 16),
        VirtioWindow(address: 0, size: 0x1_0000_0001, gsi: 16),
        VirtioWindow(address: .max, size: .max, gsi: 16),
        VirtioWindow(address: 0xD000_0000, size: .max, gsi: 16),
    ])
    func range(window: VirtioWindow) {
        #expect(throws: FirmwareError.windowOutOfRange(window)) {
            try makeFirmware(for: MachineShape(processorCount: 1, virtioDevices: [window]))
        }
    }

    @Test("a window may end at 4 GiB")
    func lastWindow() throws {
        let window = VirtioWindow(address: 0xFFFF_F000, gsi: 16)
        _ = try makeFirmware(for: MachineShape(processorCount: 1, virtioDevices: [window]))
    }

    @Test("an interrupt of the fixed platform, or beyond the I/O APIC, is refused", arguments: [
        0, 2, 4, 8, 9, 24, 255, .max,
    ] as [UInt32])
    func interrupt(gsi: UInt32) {
        let window = VirtioWindow(address: 0xD000_0000, gsi: gsi)
        #expect(throws: FirmwareError.interruptNotAssignable(window)) {
            try makeFirmware(for: MachineShape(processorCount: 1, virtioDevices: [window]))
        }
    }

    @Test("the free interrupts are those that nothing fixed has, each once")
    func assignable() {
        let fixed = [
            PlatformMap.timerGSI, PlatformMap.cascadeGSI, PlatformMap.serialGSI, PlatformMap.sciGSI,
            PlatformMap.clockGSI,
        ]
        let free = Set(0..<PlatformMap.ioAPICPinCount).subtracting(fixed)
        #expect(Set(PlatformMap.assignableGSIs) == free)
        #expect(PlatformMap.assignableGSIs.count == free.count)
    }

    @Test("a window on top of an interrupt controller is refused", arguments: [
        VirtioWindow(address: 0xFEC0_0000, gsi: 16),
        VirtioWindow(address: 0xFEE0_0FFF, gsi: 16),
        VirtioWindow(address: 0xFEBF_F001, gsi: 16),
        VirtioWindow(address: 0, size: 0x1_0000_0000, gsi: 16),
    ])
    func interruptController(window: VirtioWindow) {
        #expect(throws: FirmwareError.windowOverlap(window)) {
            try makeFirmware(for: MachineShape(processorCount: 1, virtioDevices: [window]))
        }
    }

    @Test("windows that share a byte are refused, in whatever order they come")
    func overlap() {
        let lower = VirtioWindow(address: 0xD000_0000, gsi: 16)
        let upper = VirtioWindow(address: 0xD000_0FFF, gsi: 17)
        for windows in [[lower, upper], [upper, lower]] {
            #expect(throws: FirmwareError.windowOverlap(upper)) {
                try makeFirmware(for: MachineShape(processorCount: 1, virtioDevices: windows))
            }
        }
    }

    @Test("more devices than the space for tables holds are refused, not cut off", arguments: [1000, 4095, 5000])
    func tooMany(devices: Int) {
        #expect(throws: FirmwareError.tablesTooLarge(capacity: 0x10000)) {
            try makeFirmware(for: .sample(processors: 1, virtioDevices: devices))
        }
    }
}
