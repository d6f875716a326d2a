import CLinux
import LinuxSystem

/// A virtual machine of KVM: memory slots, the interrupt controllers in the kernel, event descriptors.
///
/// Set it up from one thread; `setInterruptLine` may be called from any.
public final class VirtualMachine: Sendable {
    let descriptor: FileDescriptor
    private let sharedAreaSize: Int

    /// Creates an empty VM (KVM_CREATE_VM).
    public init(_ system: KVMSystem) throws(KVMError) {
        descriptor = FileDescriptor(owning: try kvmCall("KVM_CREATE_VM") {
            svmm_ioctl_value(system.device.raw, UInt(SVMM_KVM_CREATE_VM.rawValue), 0)
        })
        sharedAreaSize = try system.sharedAreaSize()
    }

    /// Gives Intel hosts the pages they need below 4 GiB: three for a TSS, one for an identity map. Before any vCPU
    /// (KVM_SET_IDENTITY_MAP_ADDR, KVM_SET_TSS_ADDR).
    public func reserveKernelPages(identityMap: UInt64, tss: UInt64) throws(KVMError) {
        var address = identityMap
        _ = try call("KVM_SET_IDENTITY_MAP_ADDR", svmm_kvm_set_identity_map_addr, &address)
        _ = try kvmCall("KVM_SET_TSS_ADDR") {
            svmm_ioctl_value(descriptor.raw, UInt(SVMM_KVM_SET_TSS_ADDR.rawValue), UInt(tss))
        }
    }

    /// Makes the PICs, the I/O APIC, a local APIC per later vCPU, and the PIT (KVM_CREATE_IRQCHIP, KVM_CREATE_PIT2).
    public func createInterruptControllers() throws(KVMError) {
        _ = try kvmCall("KVM_CREATE_IRQCHIP") {
            svmm_ioctl_value(descriptor.raw, UInt(SVMM_KVM_CREATE_IRQCHIP.rawValue), 0)
        }
        var pit = kvm_pit_config()
        pit.flags = UInt32(KVM_PIT_SPEAKER_DUMMY)  // port 0x61 is answered by the kernel too
        _ = try call("KVM_CREATE_PIT2", svmm_kvm_create_pit2, &pit)
    }

    /// Maps host memory at a guest-physical address (KVM_SET_USER_MEMORY_REGION). The host memory must stay mapped for as
    /// long as the VM exists.
    public func setMemory(slot: UInt32, guestAddress: UInt64, host: UnsafeMutableRawPointer, count: UInt64) throws(KVMError) {
        var region = kvm_userspace_memory_region()
        region.slot = slot
        region.guest_phys_addr = guestAddress
        region.memory_size = count
        region.userspace_addr = UInt64(UInt(bitPattern: host))
        _ = try call("KVM_SET_USER_MEMORY_REGION", svmm_kvm_set_user_memory_region, &region)
    }

    /// Sets the level of an interrupt line (KVM_IRQ_LINE). `gsi` is an I/O APIC pin, which below 16 is a PIC pin too.
    public func setInterruptLine(gsi: UInt32, high: Bool) throws(KVMError) {
        var line = kvm_irq_level()
        line.irq = gsi
        line.level = high ? 1 : 0
        _ = try call("KVM_IRQ_LINE", svmm_kvm_irq_line, &line)
    }

    /// Every signal of `event` becomes an edge on the interrupt line (KVM_IRQFD).
    public func connectInterrupt(_ event: EventNotifier, gsi: UInt32) throws(KVMError) {
        var irqfd = kvm_irqfd()
        irqfd.fd = UInt32(bitPattern: event.raw)
        irqfd.gsi = gsi
        _ = try call("KVM_IRQFD", svmm_kvm_irqfd, &irqfd)
    }

    /// A 32-bit write of `value` to the MMIO address signals `event` inside the kernel: no exit (KVM_IOEVENTFD).
    public func connectWrite(_ event: EventNotifier, address: UInt64, value: UInt32) throws(KVMError) {
        var ioeventfd = kvm_ioeventfd()
        ioeventfd.datamatch = UInt64(value)
        ioeventfd.addr = address
        ioeventfd.len = 4
        ioeventfd.fd = event.raw
        ioeventfd.flags = 1 << UInt32(kvm_ioeventfd_flag_nr_datamatch)
        _ = try call("KVM_IOEVENTFD", svmm_kvm_ioeventfd, &ioeventfd)
    }

    /// Makes a vCPU whose local APIC has this id (KVM_CREATE_VCPU).
    public func createProcessor(id: Int) throws(KVMError) -> VirtualProcessor {
        let vcpu = FileDescriptor(owning: try kvmCall("KVM_CREATE_VCPU") {
            svmm_ioctl_value(descriptor.raw, UInt(SVMM_KVM_CREATE_VCPU.rawValue), UInt(id))
        })
        do throws(Errno) {
            let shared = try MemoryMapping(sharing: vcpu.raw, count: sharedAreaSize)
            return VirtualProcessor(id: id, descriptor: vcpu, shared: shared)
        } catch {
            throw .call("mmap of the vCPU's shared area", error)
        }
    }

    private func call<Argument>(_ name: String, _ request: UInt, _ argument: inout Argument) throws(KVMError) -> Int32 {
        try withUnsafeMutablePointer(to: &argument) { (pointer) throws(KVMError) in
            try kvmCall(name) { svmm_ioctl_pointer(descriptor.raw, request, pointer) }
        }
    }
}
