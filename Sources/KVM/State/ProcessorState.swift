import CLinux
import LinuxSystem

/// All that a vCPU is between two instructions, as KVM says it: structures of the kernel's as bytes. It fits processors with the same
/// features and kernels that know the same structures; others refuse it by their sizes and values.
public struct ProcessorState: Equatable, Sendable {
    /// What CPUID says.
    public var features: [CPUIDEntry]
    /// struct kvm_regs.
    public var registers: [UInt8]
    /// struct kvm_sregs2.
    public var specialRegisters: [UInt8]
    /// struct kvm_xcrs: what of the next is in use.
    public var extendedControl: [UInt8]
    /// struct kvm_xsave, of as many bytes as the processor's features take.
    public var extendedState: [UInt8]
    /// struct kvm_debugregs.
    public var debugRegisters: [UInt8]
    /// struct kvm_lapic_state.
    public var localInterrupts: [UInt8]
    public var modelSpecificRegisters: [ModelSpecificRegister]
    /// struct kvm_mp_state: whether it runs, is halted, or waits to be started.
    public var activity: [UInt8]
    /// struct kvm_vcpu_events: exceptions and interrupts on their way.
    public var events: [UInt8]

    public init(
        features: [CPUIDEntry], registers: [UInt8], specialRegisters: [UInt8], extendedControl: [UInt8], extendedState: [UInt8],
        debugRegisters: [UInt8], localInterrupts: [UInt8], modelSpecificRegisters: [ModelSpecificRegister], activity: [UInt8],
        events: [UInt8]
    ) {
        self.features = features
        self.registers = registers
        self.specialRegisters = specialRegisters
        self.extendedControl = extendedControl
        self.extendedState = extendedState
        self.debugRegisters = debugRegisters
        self.localInterrupts = localInterrupts
        self.modelSpecificRegisters = modelSpecificRegisters
        self.activity = activity
        self.events = events
    }
}

extension VirtualProcessor {
    private static let registers = Block(
        name: "REGS", read: svmm_kvm_get_regs, write: svmm_kvm_set_regs, count: MemoryLayout<kvm_regs>.size)
    private static let specialRegisters = Block(
        name: "SREGS2", read: svmm_kvm_get_sregs2, write: svmm_kvm_set_sregs2, count: MemoryLayout<kvm_sregs2>.size)
    private static let extendedControl = Block(
        name: "XCRS", read: svmm_kvm_get_xcrs, write: svmm_kvm_set_xcrs, count: MemoryLayout<kvm_xcrs>.size)
    private static let debugRegisters = Block(
        name: "DEBUGREGS", read: svmm_kvm_get_debugregs, write: svmm_kvm_set_debugregs, count: MemoryLayout<kvm_debugregs>.size)
    private static let localInterrupts = Block(
        name: "LAPIC", read: svmm_kvm_get_lapic, write: svmm_kvm_set_lapic, count: MemoryLayout<kvm_lapic_state>.size)
    private static let activity = Block(
        name: "MP_STATE", read: svmm_kvm_get_mp_state, write: svmm_kvm_set_mp_state, count: MemoryLayout<kvm_mp_state>.size)
    private static let events = Block(
        name: "VCPU_EVENTS", read: svmm_kvm_get_vcpu_events, write: svmm_kvm_set_vcpu_events, count: MemoryLayout<kvm_vcpu_events>.size)

    /// Of 4096 bytes on kernels and processors without more (KVM_CAP_XSAVE2).
    private static func extendedState(_ system: KVMSystem) throws(KVMError) -> Block {
        let count = Int(try system.check(KVM_CAP_XSAVE2))
        return count > 4096
            ? Block(name: "XSAVE2", read: svmm_kvm_get_xsave2, write: svmm_kvm_set_xsave, count: count)
            : Block(name: "XSAVE", read: svmm_kvm_get_xsave, write: svmm_kvm_set_xsave, count: 4096)
    }

    /// What CPUID says to its guest (KVM_GET_CPUID2).
    public func features() throws(KVMError) -> [CPUIDEntry] {
        try CPUIDEntry.table("KVM_GET_CPUID2", descriptor, svmm_kvm_get_cpuid2)
    }

    /// The state of a vCPU that does not run, and whose last exit KVM has completed: one that left the guest as `interrupted`.
    public func saveState(_ system: KVMSystem) throws(KVMError) -> ProcessorState {
        // Before the registers: it settles what was about to be delivered (KVM's api.rst, KVM_GET_MP_STATE).
        let activity = try Self.activity.get(descriptor)
        return ProcessorState(
            features: try features(),
            registers: try Self.registers.get(descriptor),
            specialRegisters: try Self.specialRegisters.get(descriptor), extendedControl: try Self.extendedControl.get(descriptor),
            extendedState: try Self.extendedState(system).get(descriptor), debugRegisters: try Self.debugRegisters.get(descriptor),
            localInterrupts: try Self.localInterrupts.get(descriptor),
            modelSpecificRegisters: try modelSpecificRegisters(try system.modelSpecificRegisterIndices()),
            activity: activity, events: try Self.events.get(descriptor))
    }

    /// Puts a new vCPU, which has not run, into a state. In this order: features decide what else may be set; the local APIC before the
    /// deadline that arms its timer; pending events last.
    public func restoreState(_ state: ProcessorState, _ system: KVMSystem) throws(KVMError) {
        try setCPUID(state.features)
        try Self.registers.set(descriptor, state.registers)
        try Self.extendedControl.set(descriptor, state.extendedControl)
        try Self.extendedState(system).set(descriptor, state.extendedState)
        try Self.specialRegisters.set(descriptor, state.specialRegisters)
        try Self.debugRegisters.set(descriptor, state.debugRegisters)
        try Self.localInterrupts.set(descriptor, state.localInterrupts)
        let (deadlines, others) = (state.modelSpecificRegisters.filter { $0.index == ModelSpecificRegister.deadline },
                                   state.modelSpecificRegisters.filter { $0.index != ModelSpecificRegister.deadline })
        // Before Linux 6.7, KVM takes a counter that is set to within a second of what it is for one to be kept as it is: the boot
        // processor's is set to far away first, and the others then follow it.
        let counter = others.first { $0.index == ModelSpecificRegister.timeStampCounter }
        if id == 0, let counter { _ = try? setModelSpecificRegisters([(counter.index, counter.value &+ 1 << 62)]) }
        try restoreModelSpecificRegisters(others + deadlines)
        try Self.activity.set(descriptor, state.activity)
        try Self.events.set(descriptor, state.events)
    }
}
