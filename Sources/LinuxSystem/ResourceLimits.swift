import CLinux
import Glibc

extension CurrentProcess {
    /// How many descriptors this process may have. The corresponding C function is `getrlimit` (RLIMIT_NOFILE).
    public static func descriptorLimit() -> Int {
        Int(clamping: descriptorLimits().rlim_cur)
    }

    /// Allows this process as many descriptors as it may allow itself. The corresponding C function is `setrlimit`.
    public static func raiseDescriptorLimit() {
        var limit = descriptorLimits()
        guard limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // Where it fails, the lower limit stands, and whoever needs descriptors asks for it.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static func descriptorLimits() -> rlimit {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return rlimit(rlim_cur: 1024, rlim_max: 1024)
        }
        return limit
    }
}
