import Devices
import KVM
import LinuxSystem
import Virtio

/// The parts of a machine that has not run yet, into which a saved machine's state is put.
struct SavedParts {
    let system: KVMSystem
    let vm: VirtualMachine
    let processors: [VirtualProcessor]
    let transports: [MMIOTransport]
    let power: PowerManagement
    let clock: RealTimeClock
    let serial: SerialPort

    /// Puts the state in: processors first, whose local APICs take what the board's controllers deliver; then what raises interrupts.
    ///
    /// - Parameter features: what CPUID would say in a machine that boots here.
    func restore(_ origin: PreparedOrigin, features: [CPUIDEntry]) throws(MachineError) {
        var state = origin.state
        if origin.restore.stepsClock { state.advanceTime(to: Clock.realTimeNanoseconds()) }
        do throws(KVMError) {
            try checkFeatures(state, features)
            for (processor, saved) in zip(processors, state.processors) {
                if let frequency = state.timeStampFrequency { try processor.setTimeStampFrequency(frequency) }
                try processor.restoreState(saved, system)
                // Its watchdogs are not to take the time since then for their own.
                processor.announcePause()
            }
            try vm.restoreState(state.platform)
        } catch {
            let isStates = if case .state = error { true } else { false }
            throw MachineError("\(origin.path): \(error)", status: MachineError(kvm: error).status, concernsSnapshot: isStates)
        }
        power.restore(state.power)
        clock.restore(state.clock)
        serial.restore(state.serial)
        for (slot, (transport, saved)) in zip(transports, state.transports).enumerated() {
            do throws(SavedStateError) {
                try transport.restore(saved)
            } catch {
                throw MachineError("\(origin.path): device \(slot) (\(transport.deviceType)): \(error)", concernsSnapshot: true)
            }
        }
    }

    /// A guest keeps using what it has seen.
    private func checkFeatures(_ state: SavedMachine, _ features: [CPUIDEntry]) throws(KVMError) {
        guard let first = processors.first, let saved = state.processors.first else { return }
        // KVM may say more than it was told: what counts is what a guest would see here.
        try first.setCPUID(features)
        let here = try first.features()
        let (vendor, own) = (FeatureComparison.vendor(saved.features), FeatureComparison.vendor(here))
        guard vendor == own else { throw .state("saved on a processor of \(vendor), expected \(own), this host's") }
        let missing = FeatureComparison.missing(saved.features, here: here)
        guard missing.isEmpty else {
            throw .state("the guest saw \(missing.joined(separator: ", ")), which this host's processor or KVM lacks; restore it on a host that has them")
        }
    }
}

extension SavedMachine {
    /// Sets the guest's clocks forward by the time that has passed since it was saved, so that it finds the right time: as if it had been
    /// paused. Nothing for one that was saved in the future.
    ///
    /// - Parameter now: nanoseconds since 1970.
    mutating func advanceTime(to now: UInt64) {
        guard now > time else { return }
        let elapsed = now - time
        platform.clock &+= elapsed
        guard let timeStampFrequency else { return }
        let (high, low) = elapsed.multipliedFullWidth(by: UInt64(timeStampFrequency))
        // Nanoseconds times kHz are millionths of cycles. Centuries of them do not fit, and are none.
        guard high < 1_000_000 else { return }
        let cycles = (1_000_000 as UInt64).dividingFullWidth((high, low)).quotient
        for index in processors.indices { processors[index].advanceTime(cycles: cycles) }
    }
}
