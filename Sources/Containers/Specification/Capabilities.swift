/// Capabilities by name (capabilities(7)); numbers as in linux/capability.h.
public enum Capabilities {
    /// In the order of their numbers.
    public static let names = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
        "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
        "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
        "PERFMON", "BPF", "CHECKPOINT_RESTORE",
    ]

    /// What a container has that asks for nothing: podman's list.
    public static let defaults = [
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "SETFCAP",
    ]

    /// The default ones, and what --cap-add and --cap-drop make of them; `ALL` stands for all.
    static func combine(adding: [String], dropping: [String]) throws(ContainerError) -> [String] {
        let added = try normalize(adding, "--cap-add")
        let dropped = try normalize(dropping, "--cap-drop")
        for name in added where name != "ALL" && dropped.contains(name) {
            throw .invalid("--cap-drop \(name): added by --cap-add, too; expected one of them")
        }
        if added.contains("ALL"), dropped.contains("ALL") { throw .invalid("--cap-drop ALL: --cap-add ALL, too; expected one of them") }
        var result = Set(dropped.contains("ALL") ? [] : added.contains("ALL") ? names : defaults)
        result.formUnion(added.filter { $0 != "ALL" })
        result.subtract(dropped)
        return names.filter(result.contains)
    }

    private static func normalize(_ list: [String], _ option: String) throws(ContainerError) -> [String] {
        var result: [String] = []
        for text in list {
            var name = text.uppercased()
            if name.hasPrefix("CAP_") { name.removeFirst(4) }
            guard name == "ALL" || names.contains(name) else {
                throw .invalid("\(option) \(text): no such capability, expected ALL or a name of capabilities(7) such as NET_ADMIN")
            }
            result.append(name)
        }
        return result
    }

    /// A bit for each name.
    static func mask(_ list: [String]) -> UInt64 {
        list.reduce(0) { mask, name in names.firstIndex(of: name).map { mask | 1 << UInt64($0) } ?? mask }
    }
}
