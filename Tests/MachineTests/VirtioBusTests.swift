import Devices
import Firmware
import GuestMemory
import LinuxSystem
@testable import Machine
import TestSupport
import Testing
import Virtio

@Suite("Virtio bus")
struct VirtioBusTests {
    private let bus: VirtioBus
    private let power = PowerManagement(setInterrupt: { _ in }, report: { _ in })
    private let loop: LoopThread

    init() throws {
        let memory = try GuestMemory(layout: try #require(RAMLayout(size: 1 << 20)))
        loop = try LoopThread()
        var transports: [MMIOTransport] = []
        for _ in 0..<2 {
            let device = try EntropyDevice(loop: loop.loop)
            transports.append(try MMIOTransport(device: device, memory: memory, interruptLine: EventNotifier()))
        }
        bus = VirtioBus(transports: transports, power: power)
    }

    private func switchACPI(on: Bool) {
        power.commandPort.write(offset: 0, size: 1,
            value: UInt32(on ? PlatformMap.acpiEnable : PlatformMap.acpiDisable))
    }

    @Test("each device answers at its window, and at its alias until the guest switches to ACPI", arguments: [0, 1])
    func alias(slot: Int) {
        let window = AddressMap.window(slot: slot).address
        let alias = AddressMap.alias(slot: slot)
        for base in [window, alias] {
            #expect(bus.read(base + MMIO.magicValue, size: 4) == 0x7472_6976)
            #expect(bus.read(base + MMIO.deviceID, size: 4) == 4)
        }
        bus.write(alias + MMIO.status, size: 4, value: 1)
        #expect(bus.read(window + MMIO.status, size: 4) == 1, "both show the same registers")

        switchACPI(on: true)
        #expect(bus.read(window + MMIO.deviceID, size: 4) == 4)
        #expect(bus.read(alias + MMIO.magicValue, size: 4) == 0x7472_6976)
        #expect(bus.read(alias + MMIO.version, size: 4) == 2)
        for offset in stride(from: 8 as UInt64, to: 0x110, by: 4) { #expect(bus.read(alias + offset, size: 4) == 0) }
        bus.write(alias + MMIO.status, size: 4, value: 0)
        #expect(bus.read(window + MMIO.status, size: 4) == 1, "a placeholder takes no writes")

        switchACPI(on: false)
        #expect(bus.read(alias + MMIO.deviceID, size: 4) == 4)
    }

    @Test("the devices keep apart")
    func slots() {
        bus.write(AddressMap.window(slot: 1).address + MMIO.status, size: 4, value: 1)
        #expect(bus.read(AddressMap.window(slot: 0).address + MMIO.status, size: 4) == 0)
    }

    @Test("addresses of no device read all ones and take anything", arguments: [
        0, 0xCFFF_FFFF, 0xD000_2000, 0xD00F_FFFF, 0xD010_2000, 0xFEFF_FFFF, 0x1_0000_0000, .max,
    ] as [GuestAddress])
    func nowhere(address: GuestAddress) {
        for size in [1, 2, 4, 8] {
            #expect(bus.read(address, size: size) == .max)
            bus.write(address, size: size, value: .max)
        }
    }

    @Test("windows and aliases of the largest machine lie in the hole, apart from each other")
    func addresses() {
        let slots = AddressMap.interrupts.count
        let places = (0..<slots).flatMap { [AddressMap.window(slot: $0).address, AddressMap.alias(slot: $0)] }
        #expect(Set(places).count == 2 * slots)
        let room = RAMLayout.holeStart..<AddressMap.kvmIdentityMap
        for place in places { #expect(place % 4096 == 0 && room.contains(place)) }
    }

    @Test("kernels without ACPI are told of each alias and its interrupt")
    func commandLine() {
        #expect(VirtioBus.commandLine(slots: 2) == [
            "virtio_mmio.device=4K@0xd0100000:\(AddressMap.interrupts[0])",
            "virtio_mmio.device=4K@0xd0101000:\(AddressMap.interrupts[1])",
        ])
    }
}
