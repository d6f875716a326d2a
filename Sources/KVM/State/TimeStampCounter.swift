import CLinux
import LinuxSystem

extension ModelSpecificRegister {
    /// IA32_TIME_STAMP_COUNTER (Intel SDM 4, table 2-2).
    public static let timeStampCounter: UInt32 = 0x10
}

extension VirtualProcessor {
    /// How fast its time stamp counter goes, in kHz; nil where KVM does not know (KVM_GET_TSC_KHZ).
    public func timeStampFrequency() -> UInt32? {
        let frequency = svmm_ioctl_value(descriptor.raw, UInt(SVMM_KVM_GET_TSC_KHZ.rawValue), 0)
        return frequency > 0 ? UInt32(frequency) : nil
    }

    /// Has the counter go so fast, in kHz. Processors without scaling of the counter can go by their own only: a difference that a
    /// guest's clock would not notice, 250 millionths, is none (KVM_SET_TSC_KHZ).
    public func setTimeStampFrequency(_ frequency: UInt32) throws(KVMError) {
        guard let own = timeStampFrequency(), own != frequency else { return }
        let difference = UInt64(own > frequency ? own - frequency : frequency - own)
        if difference * 4000 <= UInt64(frequency) { return }
        guard svmm_ioctl_value(descriptor.raw, UInt(SVMM_KVM_SET_TSC_KHZ.rawValue), UInt(frequency)) == 0 else {
            throw .state("a time stamp counter of \(frequency) kHz was saved, this host's goes by \(own) kHz and cannot be scaled (\(Errno.current))")
        }
    }
}

extension ProcessorState {
    /// Sets its time forward.
    ///
    /// - Parameter cycles: of the time stamp counter.
    public mutating func advanceTime(cycles: UInt64) {
        for index in modelSpecificRegisters.indices
        where modelSpecificRegisters[index].index == ModelSpecificRegister.timeStampCounter {
            modelSpecificRegisters[index].value &+= cycles
        }
    }
}
