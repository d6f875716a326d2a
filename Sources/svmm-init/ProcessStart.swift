import AgentCore
import AgentProtocol

/// Everything that a new process needs to become the container's, from the fork on in the child.
struct ProcessStart {
    let configuration: ProcessConfiguration
    let place: Place
    /// 0, 1 and 2.
    let ends: [Int32]
    /// Closed by a successful exec; before that it takes the failure.
    let report: Int32

    enum Place {
        /// In namespaces of its own, which are still to be made the container's.
        case main(Sandbox)
        /// In those of the main process, by descriptors of /proc/PID/ns.
        case joining(mounts: Int32, cgroup: Int32)
    }

    /// Runs in the child.
    func run() -> Never {
        do throws(AgentFailure) {
            try become()
        } catch {
            let bytes = [error.kind.rawValue] + Array(error.text.utf8)
            try? writeAll(report, bytes)
        }
        _exit(1)
    }

    private func become() throws(AgentFailure) {
        // Nothing of a half-made process is the container's to look at.
        _ = agent_prctl(PR_SET_DUMPABLE, 0, 0)
        closeOthers()
        agent_restore_signals()
        setsid()
        try setLimits()
        try enter()
        try takeStreams()
        umask(mode_t(configuration.umask))
        let identity = try lookUpUser()
        let environment = completeEnvironment(identity)
        try enterWorkingDirectory()
        try takeIdentity(identity)
        if configuration.hasInit, case .main = place { try standAside() }
        try execute(environment)
    }

    /// Closes what belongs to the agent and to other processes: whoever waits for the end of a pipe must not wait for this one.
    private func closeOthers() {
        var kept = ends + [report]
        if case .joining(let mounts, let cgroup) = place { kept += [mounts, cgroup] }
        closeAll(except: kept)
    }

    private func setLimits() throws(AgentFailure) {
        do throws(Errno) {
            try writeFile("/proc/self/oom_score_adj", "\(configuration.outOfMemoryScore)")
        } catch {
            throw AgentFailure(.failed, "OOM score \(configuration.outOfMemoryScore): \(error.text)")
        }
        // The agent's own is higher.
        _ = agent_set_limit(RLIMIT_NOFILE, 1024, 4096)
        for limit in configuration.limits where agent_set_limit(Int32(limit.resource), limit.soft, limit.hard) != 0 {
            throw AgentFailure(.failed, "resource limit \(limit.resource) of \(limit.soft):\(limit.hard): \(Errno.current.text)")
        }
    }

    private func enter() throws(AgentFailure) {
        switch place {
        case .main(let sandbox):
            guard unshare(CLONE_NEWCGROUP) == 0 else {
                throw AgentFailure(.failed, "cgroup namespace: \(Errno.current.text)")
            }
            try sandbox.enter(terminal: configuration.terminal == nil ? nil : ends.first)
        case .joining(let mounts, let cgroup):
            guard setns(cgroup, CLONE_NEWCGROUP) == 0, setns(mounts, CLONE_NEWNS) == 0 else {
                throw AgentFailure(.failed, "joining the container: \(Errno.current.text)")
            }
        }
    }

    private func takeStreams() throws(AgentFailure) {
        guard ends.count == 3 else { throw AgentFailure(.failed, "standard streams: there are \(ends.count)") }
        for number in 0..<3 where dup2(ends[number], Int32(number)) < 0 {
            throw AgentFailure(.failed, "standard streams: \(Errno.current.text)")
        }
        if configuration.terminal != nil, agent_take_terminal(0) != 0 {
            throw AgentFailure(.failed, "terminal: \(Errno.current.text)")
        }
    }

    private func completeEnvironment(_ identity: UserDatabase.Identity) -> [[UInt8]] {
        var environment = configuration.environment.map { Array($0.utf8) }
        if CommandSearch.value(of: "PATH", in: environment) == nil { environment.append(Array(CommandSearch.defaultPath.utf8)) }
        if CommandSearch.value(of: "HOME", in: environment) == nil { environment.append(Array("HOME=".utf8) + identity.home) }
        if configuration.terminal != nil, CommandSearch.value(of: "TERM", in: environment) == nil {
            environment.append(Array("TERM=xterm".utf8))
        }
        return environment
    }

    private func enterWorkingDirectory() throws(AgentFailure) {
        let path = configuration.workingDirectory.isEmpty ? "/" : configuration.workingDirectory
        if chdir(path) == 0 { return }
        var error = Errno.current
        if error.code == ENOENT {
            // Missing parents as well.
            var made: [UInt8] = []
            for component in PathName.components(Array(path.utf8)) {
                made += [UInt8(ascii: "/")] + component
                _ = CPath(made) { mkdir($0, 0o755) }
            }
            if chdir(path) == 0 { return }
            error = .current
        }
        throw AgentFailure(.commandNotExecutable, "working directory `\(path)`: \(error.text)")
    }

    /// Replaces the child by its program.
    private func execute(_ environment: [[UInt8]]) throws(AgentFailure) {
        guard let program = configuration.arguments.first.map({ Array($0.utf8) }), !program.isEmpty else {
            throw AgentFailure(.commandNotFound, "no command: neither the image nor the request names one")
        }
        let arguments = CVector(configuration.arguments.map { Array($0.utf8) })
        let variables = CVector(environment)
        let candidates = CommandSearch.candidates(program, path: CommandSearch.value(of: "PATH", in: environment) ?? [])
        var isThere = false
        for path in candidates {
            _ = CPath(path) { execve($0, arguments.pointers, variables.pointers) }
            let error = Errno.current
            switch error.code {
            case ENOENT, ENOTDIR:
                // A script or program whose interpreter is missing fails in the same way.
                if CPath(path)({ access($0, F_OK) }) == 0 {
                    throw AgentFailure(.commandNotFound, "`\(text(path))`: its interpreter: \(error.text)")
                }
            case EACCES:
                isThere = true
                // Looked for further, as shells do.
                if candidates.count == 1 { throw notExecutable(path, error) }
            default: throw notExecutable(path, error)
            }
        }
        if isThere { throw AgentFailure(.commandNotExecutable, "executable file `\(text(program))`: Permission denied") }
        throw AgentFailure(.commandNotFound, program.contains(UInt8(ascii: "/"))
            ? "executable file `\(text(program))`: No such file or directory" : "executable file `\(text(program))` not found in $PATH")
    }

    private func notExecutable(_ path: [UInt8], _ error: Errno) -> AgentFailure {
        var status = stat()
        let isDirectory = CPath(path)({ stat($0, &status) }) == 0 && status.kind == .directory
        return AgentFailure(.commandNotExecutable,
                            "executable file `\(text(path))`: " + (isDirectory ? "Is a directory" : error.text))
    }
}

/// A NULL-terminated list of strings for exec. It stays until the program is replaced.
struct CVector {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

    init(_ strings: [[UInt8]]) {
        pointers = .allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { pointers[index] = CPath(string) { strdup($0) } }
        pointers[strings.count] = nil
    }
}
