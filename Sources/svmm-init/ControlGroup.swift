import AgentCore
import AgentProtocol

/// The cgroup in which all of the container's processes are.
struct ControlGroup {
    private static let root = "/sys/fs/cgroup"
    static let path = root + "/container"
    /// For clone3(2).
    let directory: Int32
    /// Tells of out-of-memory kills: urgent data (POLLPRI) each time that there is news. nil when the kernel counts no memory.
    let memoryEvents: Int32?

    init(processLimit: UInt32) throws(AgentFailure) {
        // With `nsdelegate` the container cannot lift its own limits.
        try mountFileSystem("cgroup2", "cgroup2", on: Self.root, Int32(MS_NOSUID | MS_NODEV | MS_NOEXEC), "nsdelegate")
        for controller in ["cpu", "cpuset", "io", "memory", "pids"] { try? writeFile(Self.root + "/cgroup.subtree_control", "+" + controller) }
        makeDirectory(Self.path)
        directory = agent_open(Self.path, AGENT_O_PATH | O_DIRECTORY, 0)
        guard directory >= 0 else { throw AgentFailure(.failed, "the container's cgroup: \(Errno.current.text)") }
        let events = agent_open(Self.path + "/memory.events", O_RDONLY, 0)
        memoryEvents = events >= 0 ? events : nil
        try limitMemory()
        if processLimit > 0 {
            do throws(Errno) {
                try writeFile(Self.path + "/pids.max", "\(processLimit)")
            } catch {
                throw AgentFailure(.failed, "limit of \(processLimit) processes: \(error.text)")
            }
        }
    }

    /// The container gets all but what kernel and agent need to go on when it takes everything: then it is its processes that are killed.
    private func limitMemory() throws(AgentFailure) {
        guard let total = Digits.value(of: "MemTotal", in: contents("/proc/meminfo") ?? []), memoryEvents != nil else { return }
        let kibibytes = total - min(total / 8, 24 << 10)
        do throws(Errno) {
            try writeFile(Self.path + "/memory.max", "\(kibibytes)K")
        } catch {
            throw AgentFailure(.failed, "memory limit of \(kibibytes) KiB: \(error.text)")
        }
    }

    /// How many processes the kernel has killed for want of memory.
    var outOfMemoryKills: UInt64 {
        guard let memoryEvents, lseek(memoryEvents, 0, SEEK_SET) == 0 else { return 0 }
        return Digits.value(of: "oom_kill", in: contents(of: memoryEvents, limit: 4096)) ?? 0
    }

    /// SIGKILL for all.
    func kill() {
        try? writeFile(Self.path + "/cgroup.kill", "1")
    }

    func freeze(_ isFrozen: Bool) throws(AgentFailure) {
        do throws(Errno) {
            try writeFile(Self.path + "/cgroup.freeze", isFrozen ? "1" : "0")
        } catch {
            throw AgentFailure(.failed, "cgroup freezer: \(error.text)")
        }
    }
}
