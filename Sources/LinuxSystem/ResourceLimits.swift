import CLinux
import Glibc

extension CurrentProcess {
    /// How many descriptors this process may have. The corresponding C function is `getrlimit` (RLIMIT_NOFILE).
    public static func descriptorLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }
}
