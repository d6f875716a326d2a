import AgentCore
import AgentProtocol

extension Agent {
    func start(_ number: UInt32, _ configuration: ProcessConfiguration, _ request: UInt32) throws(AgentFailure) {
        let sandbox = try requireSandbox()
        guard case .no = ending else { throw AgentFailure(.failed, "the container is being stopped") }
        guard processes[number] == nil else {
            throw AgentFailure(.failed, number == 0 ? "the container's process runs already" : "there is a process \(number) already")
        }
        guard processes.count < Self.maximumProcesses else {
            throw AgentFailure(.failed, "there are \(processes.count) processes, no more are possible")
        }
        let streams = try ProcessStreams(configuration.streams, terminal: configuration.terminal, devices: sandbox.terminals,
                                         .process(number), loop)
        do throws(AgentFailure) {
            let report: (read: Int32, write: Int32)
            do throws(Errno) {
                report = try makePipe()
            } catch {
                throw AgentFailure(.failed, "pipe: \(error.text)")
            }
            let channel = Channel(owning: report.read, .process(number), loop)
            defer { close(report.write) }
            let kills = sandbox.cgroup.outOfMemoryKills
            let identifier = try fork(number, configuration, streams.ends, report.write, sandbox)
            streams.closeEnds()
            processes[number] = ContainerProcess(number, identifier, streams, report: channel, request: request, killsBefore: kills)
        } catch {
            streams.close()
            throw error
        }
    }

    private func fork(
        _ number: UInt32, _ configuration: ProcessConfiguration, _ ends: [Int32], _ report: Int32, _ sandbox: Sandbox
    ) throws(AgentFailure) -> Int32 {
        guard number != 0 else {
            let child = agent_clone(UInt64(CLONE_NEWPID | CLONE_NEWNS), sandbox.cgroup.directory)
            if child == 0 { ProcessStart(configuration: configuration, place: .main(sandbox), ends: ends, report: report).run() }
            guard child > 0 else { throw AgentFailure(.failed, "fork: \(Errno.current.text)") }
            return child
        }
        guard let main = processes[0], main.isAlive else { throw AgentFailure(.notFound, "the container's process does not run") }
        let namespaces = try Namespaces(of: main.identifier)
        let child = agent_clone(0, sandbox.cgroup.directory)
        if child == 0 {
            ProcessStart(configuration: configuration, place: .joining(mounts: namespaces.mounts, cgroup: namespaces.cgroup), ends: ends,
                         report: report).run()
        }
        let error = Errno.current
        guard child > 0 else { throw AgentFailure(.failed, "fork: \(error.text)") }
        return child
    }

    func advance(_ process: ContainerProcess) {
        if case .starting(let request) = process.state {
            switch process.readReport(scratch) {
            case .unknown: return
            case .started:
                process.state = .running
                answer(request, .done)
                if process.number == 0 { tellKernelLog() }
            case .failed(let failure):
                // Its number is free. What is left of it is reaped without a word.
                process.close()
                processes[process.number] = nil
                answer(request, .failed(failure))
                return
            }
        }
        process.streams.pump(scratch)
        guard case .ended(let status, let wasOutOfMemory) = process.state, process.streams.areDrained else { return }
        process.close()
        processes[process.number] = nil
        control.send(.exited(process: process.number, status: status, wasOutOfMemory: wasOutOfMemory))
    }

    /// What the kernel has logged so far, without the priorities.
    private func tellKernelLog() {
        var text = [UInt8](repeating: 0, count: AgentChannel.maximumKernelLog)
        // SYSLOG_ACTION_READ_ALL of syslog(2)
        let count = text.withUnsafeMutableBytes { klogctl(3, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count)) }
        guard count > 0 else { return }
        text.removeSubrange(Int(count)...)
        control.send(.kernelLog(KernelLog.plain(text)))
    }

    /// Takes leave of all processes that have ended, those that nobody else is left to reap included.
    func reap() {
        var information = signalfd_siginfo()
        while read(children.file, &information, MemoryLayout<signalfd_siginfo>.size) > 0 {}
        while true {
            var status: Int32 = 0
            let identifier = waitpid(-1, &status, WNOHANG)
            guard identifier > 0 else { break }
            guard let process = processes.values.first(where: { $0.identifier == identifier && $0.isAlive }) else { continue }
            hasEnded(process, UInt8(truncatingIfNeeded: agent_exit_status(status)))
        }
    }

    private func hasEnded(_ process: ContainerProcess, _ status: UInt8) {
        // The report is complete now.
        advance(process)
        guard case .running = process.state else { return }
        let kills = tellKills()
        process.state = .ended(status: status, wasOutOfMemory: status != 0 && kills > process.killsBefore)
        process.streams.processHasEnded()
        advance(process)
    }
}

/// Those of a process, for others to join.
private final class Namespaces {
    let mounts: Int32
    let cgroup: Int32
    private let own: Int32

    /// From now on, and as long as this object lives, new children are in the process's PID namespace.
    init(of process: Int32) throws(AgentFailure) {
        mounts = agent_open("/proc/\(process)/ns/mnt", O_RDONLY, 0)
        cgroup = agent_open("/proc/\(process)/ns/cgroup", O_RDONLY, 0)
        own = agent_open("/proc/self/ns/pid", O_RDONLY, 0)
        let processes = agent_open("/proc/\(process)/ns/pid", O_RDONLY, 0)
        defer { if processes >= 0 { close(processes) } }
        guard mounts >= 0, cgroup >= 0, own >= 0, processes >= 0, setns(processes, CLONE_NEWPID) == 0 else {
            throw AgentFailure(.failed, "joining the container: \(Errno.current.text)")
        }
    }

    deinit {
        setns(own, CLONE_NEWPID)
        for file in [mounts, cgroup, own] where file >= 0 { close(file) }
    }
}
