import LinuxSystem

/// A call to KVM that failed.
public enum KVMError: Error, CustomStringConvertible {
    /// /dev/kvm could not be opened.
    case device(path: String, Errno)
    /// /dev/kvm is not KVM, or not the stable API.
    case apiVersion(path: String, found: Int32)
    /// The kernel lacks something svmm is built on.
    case missingCapability(String)
    /// An ioctl failed.
    case call(String, Errno)
    /// A saved state that this machine cannot have: what it is, what was found, what was expected.
    case state(String)

    public var description: String {
        switch self {
        case .device(let path, .noEntry):
            "\(path): no such device; this machine offers no KVM: load kvm_intel or kvm_amd, enable virtualization in the firmware, or use Tools/rig"
        case .device(let path, .accessDenied):
            "\(path): permission denied; add yourself to the group that owns it (usually kvm) or run as root"
        case .device(let path, let error):
            "\(path): \(error); expected a usable KVM device"
        case .apiVersion(let path, let found):
            "\(path): KVM API version \(found), expected 12; is this the kernel's KVM device?"
        case .missingCapability(let name):
            "this kernel's KVM has no \(name), which svmm needs; use Linux 4.12 or newer"
        case .call(let name, let error):
            "\(name) failed: \(error)"
        case .state(let text): text
        }
    }
}
