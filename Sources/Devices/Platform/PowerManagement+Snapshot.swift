extension PowerManagement {
    /// The registers now. From any thread; whoever wants them to go with the rest of a machine keeps its guest from running.
    public var snapshot: PowerManagementState { state.withLock { $0.registers } }

    /// Takes over saved registers and sets the interrupt line to their level, whatever it was. Bits that no guest could have set
    /// are dropped; no event is reported. From any thread.
    public func restore(_ saved: PowerManagementState) {
        state.withLock { state in
            state.registers = saved
            state.registers.status &= Self.powerButton
            state.registers.control &= ~Self.sleepEnable
            state.registers.gpe0Status &= Self.generationEvent
            state.registers.gpe0Enable &= Self.generationEvent
            state.line = state.registers.wantsInterrupt
            setInterrupt(state.line)
        }
    }
}
