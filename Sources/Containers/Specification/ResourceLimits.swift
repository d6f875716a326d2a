/// Names of --ulimit and the numbers of asm-generic/resource.h.
public enum ResourceLimits {
    /// In the order of their numbers.
    public static let names = [
        "cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as", "locks", "sigpending", "msgqueue", "nice",
        "rtprio", "rttime",
    ]

    public static func number(_ name: String) -> UInt8? { names.firstIndex(of: name).map { UInt8($0) } }

    /// podman's, and the kernel's own bound (fs.nr_open).
    static let openFiles: UInt64 = 1 << 20
}
