import Devices
import GuestMemory
import Virtio

/// The virtio-mmio devices of a machine, by address.
///
/// Kernels find them in two ways: with ACPI in the DSDT, without it by `virtio_mmio.device=` on the command line. A kernel
/// that can do both would bind each device twice, so the command line names a second window of the same registers, which
/// shows a placeholder (DeviceID 0; virtio 1.2, 4.2.2) once the guest has switched to ACPI mode.
final class VirtioBus: Sendable {
    private let transports: [MMIOTransport]
    private let power: PowerManagement

    init(transports: [MMIOTransport], power: PowerManagement) {
        self.transports = transports
        self.power = power
    }

    func read(_ address: GuestAddress, size: Int) -> UInt64 {
        switch locate(address) {
        case .window(let transport, let offset): transport.read(offset: offset, size: size)
        // The first two registers, which say that there is a virtio device; the third says that it has no function.
        case .placeholder(let transport, let offset): offset < 8 ? transport.read(offset: offset, size: size) : 0
        case nil: .max
        }
    }

    func write(_ address: GuestAddress, size: Int, value: UInt64) {
        if case .window(let transport, let offset) = locate(address) {
            transport.write(offset: offset, size: size, value: value)
        }
    }

    /// Parameters for kernels without ACPI.
    static func commandLine(slots: Int) -> [String] {
        (0..<slots).map { "virtio_mmio.device=4K@\(hexadecimal(AddressMap.alias(slot: $0))):\(AddressMap.interrupts[$0])" }
    }

    private enum Place {
        case window(MMIOTransport, UInt64)
        case placeholder(MMIOTransport, UInt64)
    }

    private func locate(_ address: GuestAddress) -> Place? {
        if let (transport, offset) = find(address, from: AddressMap.virtioWindows) { return .window(transport, offset) }
        guard let (transport, offset) = find(address, from: AddressMap.virtioAliases) else { return nil }
        return power.isACPIEnabled ? .placeholder(transport, offset) : .window(transport, offset)
    }

    private func find(_ address: GuestAddress, from base: GuestAddress) -> (MMIOTransport, UInt64)? {
        guard address >= base else { return nil }
        let slot = (address - base) / MMIOTransport.windowSize
        guard slot < transports.count else { return nil }
        return (transports[Int(slot)], (address - base) % MMIOTransport.windowSize)
    }
}
