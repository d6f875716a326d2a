import CLinux
import LinuxSystem

/// The KVM device, /dev/kvm. Source of all facts: the kernel's Documentation/virt/kvm/api.rst.
public final class KVMSystem: Sendable {
    let device: FileDescriptor

    /// Opens the device and checks that it has what svmm needs.
    public init(path: String = "/dev/kvm") throws(KVMError) {
        do throws(Errno) {
            device = try FileDescriptor.open(path, .readWrite)
        } catch {
            throw .device(path: path, error)
        }
        let version = svmm_ioctl_value(device.raw, UInt(SVMM_KVM_GET_API_VERSION.rawValue), 0)
        guard version == 12 else { throw .apiVersion(path: path, found: version) }
        for (capability, name) in Self.required where try check(capability) == 0 {
            throw .missingCapability(name)
        }
    }

    private static var required: [(Int32, String)] {
        [
            (KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"),
            (KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"),
            (KVM_CAP_PIT2, "KVM_CAP_PIT2"),
            (KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"),
            (KVM_CAP_IRQFD, "KVM_CAP_IRQFD"),
            (KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"),
            (KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"),
            (KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR"),
            (KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"),
        ]
    }

    /// The value of a capability, 0 when it is missing (KVM_CHECK_EXTENSION).
    public func check(_ capability: Int32) throws(KVMError) -> Int32 {
        try kvmCall("KVM_CHECK_EXTENSION") {
            svmm_ioctl_value(device.raw, UInt(SVMM_KVM_CHECK_EXTENSION.rawValue), UInt(capability))
        }
    }

    /// How many vCPUs one VM may have.
    public func maximumProcessorCount() throws(KVMError) -> Int {
        let maximum = try check(KVM_CAP_MAX_VCPUS)
        return maximum > 0 ? Int(maximum) : 4  // what api.rst tells to assume where the capability is unknown
    }

    /// Whether the in-kernel local APIC can run its timer in TSC deadline mode.
    public func offersTSCDeadlineTimer() throws(KVMError) -> Bool {
        try check(KVM_CAP_TSC_DEADLINE_TIMER) > 0
    }

    /// The CPUID entries that KVM can show a guest here (KVM_GET_SUPPORTED_CPUID).
    public func supportedCPUID() throws(KVMError) -> [CPUIDEntry] {
        try CPUIDEntry.table("KVM_GET_SUPPORTED_CPUID", device, svmm_kvm_get_supported_cpuid)
    }

    /// Bytes of the area shared with each vCPU (KVM_GET_VCPU_MMAP_SIZE).
    func sharedAreaSize() throws(KVMError) -> Int {
        Int(try kvmCall("KVM_GET_VCPU_MMAP_SIZE") {
            svmm_ioctl_value(device.raw, UInt(SVMM_KVM_GET_VCPU_MMAP_SIZE.rawValue), 0)
        })
    }
}

/// Runs an ioctl, again for as long as a signal interrupts it.
func kvmCall(_ name: String, _ call: () -> Int32) throws(KVMError) -> Int32 {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error != .interrupted { throw .call(name, error) }
    }
}
