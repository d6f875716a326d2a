import Devices
import KVM
import LinuxSystem
import Snapshot
import Virtio

extension Machine {
    /// Has the devices stand still, in flight nothing but what was never taken. The guest stands still already: see `pause`. It takes as
    /// long as their I/O in flight does: not for the control thread.
    func suspendDevices() {
        for transport in transports { transport.suspend() }
    }

    /// Lets the devices go on.
    func resumeDevices() {
        for transport in transports { transport.resume() }
    }

    /// The machine as it stands: paused, with its devices suspended.
    func state(balloonTarget: UInt64) throws(KVMError) -> SavedMachine {
        // The devices first: they have the last word towards the controllers.
        let (transports, power, clock, serial) = (transports.map { $0.snapshot() }, power.snapshot, clock.snapshot, serial.snapshot)
        let states = try processors.map { (thread) throws(KVMError) in try thread.saveState(system) }
        return SavedMachine(
            time: Clock.realTimeNanoseconds(), timeStampFrequency: processors.first?.timeStampFrequency, isLinux: isLinux,
            balloonTarget: balloonTarget, platform: try virtualMachine.saveState(), processors: states, transports: transports,
            power: power, clock: clock, serial: serial)
    }
}
