import AgentProtocol

/// The first process of a container's machine.
@main
struct Main {
    static func main() {
        prepare()
        do throws(Errno) {
            try Agent().run()
        } catch {
            log("no connection with the host: \(error.text)")
        }
        reboot(RB_POWER_OFF)
    }

    /// Signals, the streams that every program has, and the few file systems without which nothing goes.
    private static func prepare() {
        agent_prepare_signals()
        // Not the initramfs: what is mounted on that cannot be the container's root by pivot_root(2).
        makeDirectory("/base")
        mount("base", "/base", "tmpfs", 0, "mode=755")
        chdir("/base")
        mount(".", "/", nil, UInt(MS_MOVE), nil)
        chroot(".")
        for path in ["/dev", "/proc", "/sys"] { makeDirectory(path) }
        mount("dev", "/dev", "devtmpfs", UInt(MS_NOSUID), nil)
        mount("proc", "/proc", "proc", UInt(MS_NOSUID | MS_NODEV | MS_NOEXEC), nil)
        mount("sysfs", "/sys", "sysfs", UInt(MS_NOSUID | MS_NODEV | MS_NOEXEC), nil)
        // Whoever mounts, leaves a namespace or ends in it waits for the other CPUs: they are interrupted, instead of waited for over ticks.
        try? writeFile("/sys/kernel/rcu_expedited", "1")
        // Whatever the kernel gave: nobody reads a console here.
        let null = agent_open("/dev/null", O_RDWR, 0)
        for number in Int32(0)..<3 where number != null { dup2(null, number) }
        try? writeFile("/proc/self/oom_score_adj", "-1000")
        _ = agent_set_limit(RLIMIT_NOFILE, 65536, 65536)
    }
}
