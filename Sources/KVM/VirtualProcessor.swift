import CLinux
import LinuxSystem

/// A vCPU. Its ioctls are for the thread that runs it, or for the thread that sets it up before that one starts;
/// `requestExit` is for any thread.
public final class VirtualProcessor: @unchecked Sendable {
    // Sound: the shared area is read by the vCPU's thread only, but for `immediate_exit`, a byte that is stored atomically.
    public let id: Int
    let descriptor: FileDescriptor
    private let shared: MemoryMapping
    let run: UnsafeMutablePointer<kvm_run>

    init(id: Int, descriptor: consuming FileDescriptor, shared: consuming MemoryMapping) {
        self.id = id
        run = shared.base.assumingMemoryBound(to: kvm_run.self)
        self.descriptor = descriptor
        self.shared = shared
    }

    /// What the guest's CPUID instruction will say (KVM_SET_CPUID2).
    public func setCPUID(_ entries: [CPUIDEntry]) throws(KVMError) {
        let table = UnsafeMutablePointer<svmm_cpuid>.allocate(capacity: 1)
        defer { table.deallocate() }
        let count = min(entries.count, Int(SVMM_CPUID_CAPACITY))
        table.pointee.nent = UInt32(count)
        table.pointee.padding = 0
        let raw = svmm_cpuid_entries(table)!
        for index in 0..<count { raw[index] = entries[index].raw }
        _ = try kvmCall("KVM_SET_CPUID2") { svmm_ioctl_pointer(descriptor.raw, svmm_kvm_set_cpuid2, table) }
    }

    /// Reads the general registers, changes them, writes them back (KVM_GET_REGS, KVM_SET_REGS).
    public func updateRegisters(_ change: (inout kvm_regs) -> Void) throws(KVMError) {
        var registers = kvm_regs()
        try get("KVM_GET_REGS", svmm_kvm_get_regs, &registers)
        change(&registers)
        try get("KVM_SET_REGS", svmm_kvm_set_regs, &registers)
    }

    /// Reads the special registers, changes them, writes them back (KVM_GET_SREGS, KVM_SET_SREGS).
    public func updateSpecialRegisters(_ change: (inout kvm_sregs) -> Void) throws(KVMError) {
        var registers = kvm_sregs()
        try get("KVM_GET_SREGS", svmm_kvm_get_sregs, &registers)
        change(&registers)
        try get("KVM_SET_SREGS", svmm_kvm_set_sregs, &registers)
    }

    /// The FPU as the boot protocols leave it: all exceptions masked (KVM_SET_FPU).
    public func resetFloatingPoint() throws(KVMError) {
        var fpu = kvm_fpu()
        fpu.fcw = 0x37F
        fpu.mxcsr = 0x1F80
        try get("KVM_SET_FPU", svmm_kvm_set_fpu, &fpu)
    }

    /// Connects the local APIC's LINT0 to the PIC (ExtINT) and LINT1 to NMI, as firmware does on the boot processor
    /// (KVM_GET_LAPIC, KVM_SET_LAPIC).
    public func connectLocalInterrupts() throws(KVMError) {
        var lapic = kvm_lapic_state()
        try get("KVM_GET_LAPIC", svmm_kvm_get_lapic, &lapic)
        withUnsafeMutableBytes(of: &lapic) { bytes in
            // Delivery mode is bits 8...10 of the local vector table entry (Intel SDM 3A, 11.5.1): 7 ExtINT, 4 NMI.
            for (offset, mode) in [(0x350, UInt32(7)), (0x360, UInt32(4))] {
                let entry = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                bytes.storeBytes(of: entry & ~0x1_0700 | mode << 8, toByteOffset: offset, as: UInt32.self)
            }
        }
        try get("KVM_SET_LAPIC", svmm_kvm_set_lapic, &lapic)
    }

    /// Makes the current or the next `runGuest` return `.interrupted` without entering the guest, until `clearExitRequest`.
    /// A vCPU inside the guest also needs a kick (`KickSignal`).
    public func requestExit() {
        svmm_run_set_immediate_exit(run, 1)
    }

    public func clearExitRequest() {
        svmm_run_set_immediate_exit(run, 0)
    }

    /// Tells the guest's paravirtual clock that the vCPU is about to stand still, so that a guest's watchdogs take the time that is missing
    /// then for what it is. A guest without that clock misses nothing. The ioctl is KVM_KVMCLOCK_CTRL.
    public func announcePause() {
        _ = svmm_ioctl_value(descriptor.raw, UInt(SVMM_KVM_KVMCLOCK_CTRL.rawValue), 0)
    }

    private func get<Argument>(_ name: String, _ request: UInt, _ argument: inout Argument) throws(KVMError) {
        _ = try withUnsafeMutablePointer(to: &argument) { (pointer) throws(KVMError) in
            try kvmCall(name) { svmm_ioctl_pointer(descriptor.raw, request, pointer) }
        }
    }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
