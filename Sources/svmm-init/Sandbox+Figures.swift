import AgentCore
import AgentProtocol

extension Sandbox {
    var statistics: AgentStatistics {
        var result = AgentStatistics()
        let group = ControlGroup.path
        let cpu = contents(group + "/cpu.stat") ?? []
        result.cpu = Digits.value(of: "usage_usec", in: cpu) ?? 0
        result.cpuUser = Digits.value(of: "user_usec", in: cpu) ?? 0
        result.cpuSystem = Digits.value(of: "system_usec", in: cpu) ?? 0
        result.memory = number(group + "/memory.current")
        result.memoryPeak = number(group + "/memory.peak")
        let memory = contents(group + "/memory.stat") ?? []
        result.memoryCache = (Digits.value(of: "active_file", in: memory) ?? 0) &+ (Digits.value(of: "inactive_file", in: memory) ?? 0)
        result.memoryTotal = (Digits.value(of: "MemTotal", in: contents("/proc/meminfo") ?? []) ?? 0) &* 1024
        result.processes = number(group + "/pids.current")
        for name in names(in: "/sys/class/net") where text(name) != "lo" {
            result.received &+= number("/sys/class/net/\(text(name))/statistics/rx_bytes")
            result.transmitted &+= number("/sys/class/net/\(text(name))/statistics/tx_bytes")
        }
        for name in names(in: "/sys/block") {
            // The third and seventh number: sectors of 512 bytes.
            let fields = line("/sys/block/\(text(name))/stat").split(separator: UInt8(ascii: " "))
            guard fields.count >= 7 else { continue }
            result.blockRead &+= (Digits.decimal(fields[2]) ?? 0) &* 512
            result.blockWritten &+= (Digits.decimal(fields[6]) ?? 0) &* 512
        }
        result.outOfMemoryKills = cgroup.outOfMemoryKills
        return result
    }

    private func number(_ path: String) -> UInt64 {
        Digits.decimal(line(path)) ?? 0
    }

    /// Of everything in a PID namespace below the agent's: that is the container's.
    var processes: [ProcessEntry] {
        let now = agent_nanoseconds() / 10_000_000
        var entries: [ProcessEntry] = []
        // Of agent's numbers, those of the container.
        var numbers: [UInt32: UInt32] = [:]
        var size = 0
        for name in names(in: "/proc") {
            guard let outer = Digits.decimal(name), size < Self.processListLimit else { continue }
            let directory = "/proc/\(outer)"
            let status = contents(directory + "/status") ?? []
            let identifiers = ProcessText.numbers("NSpid", inStatus: status)
            guard identifiers.count >= 2, let process = ProcessText(stat: contents(directory + "/stat") ?? []) else { continue }
            let words = ProcessText.command(contents(directory + "/cmdline", limit: 4096) ?? [], limit: 4096)
            let command = words.isEmpty ? "[\(text(process.name))]" : text(words)
            size += 64 + command.utf8.count
            let inner = UInt32(truncatingIfNeeded: identifiers[1])
            numbers[UInt32(truncatingIfNeeded: outer)] = inner
            entries.append(ProcessEntry(
                identifier: inner, parent: process.parent,
                user: UInt32(truncatingIfNeeded: ProcessText.numbers("Uid", inStatus: status).dropFirst().first ?? 0),
                cpu: process.cpu &* 10, elapsed: now > process.start ? (now - process.start) &* 10 : 0,
                resident: process.resident &* 4096, state: process.state, command: command))
        }
        for index in entries.indices { entries[index].parent = numbers[entries[index].parent] ?? 0 }
        return entries
    }

    /// Less than a frame may have.
    private static let processListLimit = 2 << 20

    /// What there is at a path, whose last component is not followed.
    func status(_ path: String) throws(AgentFailure) -> PathStatus {
        let file = agent_openat2(root, path, AGENT_O_PATH | O_NOFOLLOW, 0, UInt32(AGENT_RESOLVE_IN_ROOT | AGENT_RESOLVE_NO_MAGICLINKS))
        guard file >= 0 else { throw AgentFailure(path, .current) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw AgentFailure(path, .current) }
        var target: [UInt8] = []
        if status.kind == .link {
            target = [UInt8](repeating: 0, count: 4096)
            let count = target.withUnsafeMutableBytes { readlinkat(file, "", $0.baseAddress, $0.count) }
            target = Array(target.prefix(max(count, 0)))
        }
        return PathStatus(mode: status.st_mode, size: UInt64(clamping: status.st_size), target: text(target))
    }
}

extension AgentFailure {
    /// What went wrong with a path of the container.
    init(_ path: String, _ error: Errno) {
        self.init(error.code == ENOENT || error.code == ENOTDIR ? .notFound : .failed, "`\(path)` in the container: \(error.text)")
    }
}
