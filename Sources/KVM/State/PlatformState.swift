import CLinux
import LinuxSystem

/// What of a machine's board is in the kernel: interrupt controllers, timer, paravirtual clock. Structures of the kernel's as bytes.
public struct PlatformState: Equatable, Sendable {
    /// struct kvm_irqchip of the two PICs and the I/O APIC, in this order.
    public var interruptControllers: [[UInt8]]
    /// struct kvm_pit_state2.
    public var timer: [UInt8]
    /// Nanoseconds since the guest's start, as its paravirtual clock says.
    public var clock: UInt64

    public init(interruptControllers: [[UInt8]], timer: [UInt8], clock: UInt64) {
        self.interruptControllers = interruptControllers
        self.timer = timer
        self.clock = clock
    }
}

extension VirtualMachine {
    private static let controllers = [KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC]
    private static let controller = Block(
        name: "IRQCHIP", read: svmm_kvm_get_irqchip, write: svmm_kvm_set_irqchip, count: MemoryLayout<kvm_irqchip>.size)
    private static let timer = Block(
        name: "PIT2", read: svmm_kvm_get_pit2, write: svmm_kvm_set_pit2, count: MemoryLayout<kvm_pit_state2>.size)
    private static let clock = Block(
        name: "CLOCK", read: svmm_kvm_get_clock, write: svmm_kvm_set_clock, count: MemoryLayout<kvm_clock_data>.size)

    /// The state of a board whose vCPUs do not run.
    public func saveState() throws(KVMError) -> PlatformState {
        var controllers: [[UInt8]] = []
        for number in Self.controllers {
            var bytes = [UInt8](repeating: 0, count: Self.controller.count)
            bytes.store(UInt32(number), at: 0)
            try Self.controller.get(descriptor, into: &bytes)
            controllers.append(bytes)
        }
        return PlatformState(interruptControllers: controllers, timer: try Self.timer.get(descriptor),
                             clock: try Self.clock.get(descriptor).load(UInt64.self, at: 0))
    }

    /// Puts a board into a state: after its interrupt controllers were made, and before a vCPU runs.
    public func restoreState(_ state: PlatformState) throws(KVMError) {
        guard state.interruptControllers.count == Self.controllers.count else {
            throw .state("state of the interrupt controllers: \(state.interruptControllers.count) of them, expected \(Self.controllers.count)")
        }
        for (number, bytes) in zip(Self.controllers, state.interruptControllers) {
            // The number is in the bytes: another's would change that one.
            guard bytes.count < 4 || bytes.load(UInt32.self, at: 0) == UInt32(number) else {
                throw .state("state of interrupt controller \(number): it says that it is number \(bytes.load(UInt32.self, at: 0))")
            }
            try Self.controller.set(descriptor, bytes)
        }
        try Self.timer.set(descriptor, state.timer)
        // Flags of 0: the time as it stood, and not what it would be now.
        var clock = [UInt8](repeating: 0, count: Self.clock.count)
        clock.store(state.clock, at: 0)
        try Self.clock.set(descriptor, clock)
    }
}
