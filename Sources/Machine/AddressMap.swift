import Devices
import Firmware
import GuestMemory
import Virtio

/// Where svmm's machines have what is not RAM, beside the fixed ports of `PlatformMap`.
enum AddressMap {
    /// The virtio devices' registers, one page each, as ACPI announces them.
    static let virtioWindows: GuestAddress = 0xD000_0000
    /// The same registers again, as the kernel command line announces them: see `VirtioBus`.
    static let virtioAliases: GuestAddress = 0xD010_0000
    /// A page for KVM's identity map and three for its TSS, which Intel hosts need; reserved in the memory map.
    static let kvmIdentityMap: GuestAddress = 0xFEFF_C000
    static let kvmTSS: GuestAddress = 0xFEFF_D000

    /// Interrupts in the order in which devices get them; none is shared, as they are edge-triggered.
    static var interrupts: [UInt32] { PlatformMap.assignableGSIs }

    static func window(slot: Int) -> VirtioWindow {
        VirtioWindow(address: virtioWindows + UInt64(slot) * MMIOTransport.windowSize, size: MMIOTransport.windowSize,
                     gsi: interrupts[slot])
    }

    static func alias(slot: Int) -> GuestAddress {
        virtioAliases + UInt64(slot) * MMIOTransport.windowSize
    }
}
