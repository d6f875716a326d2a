import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// What the agent says and is asked.
extension ContainerMonitor {
    /// How long a guest whose agent is gone may take over its last words.
    private static let lastWordsTime: UInt64 = .seconds(3)

    func agentHasConnected(_ agent: AgentConnection) {
        agent.received = { [unowned self] in take($0) }
        agent.failed = { [unowned self] in breakDown("the guest's agent broke the protocol: \($0)") }
        agent.ended = { [unowned self] in agentIsGone() }
    }

    private func agentIsGone() {
        switch phase {
        case .leaving: endMachine()
        case .preparing, .ending, .resting, .over, .draining: break
        // With the agent, its kernel ends: that says more.
        default: allow(Self.lastWordsTime) { [unowned self] in breakDown("the guest's agent is gone") }
        }
    }

    private func take(_ message: AgentMessage) {
        switch message {
        case .hello(let version, let milliseconds): greet(version, milliseconds)
        case .reply: break
        case .exited(let number, let status, let wasOutOfMemory):
            takeEnd(of: number, ProcessEnd(status: status, wasOutOfMemory: wasOutOfMemory))
        case .stopping: status.state = .stopping
        case .outOfMemory(let count):
            // Each costs a line in a file; the guest may say what it likes, and this once.
            if outOfMemoryCount == 0, count > 0 { events.add("oom") }
            outOfMemoryCount = max(outOfMemoryCount, count)
        case .note(let text):
            if let line = notes.take(Text.line(text)) { Self.note("agent: \(line)") }
        case .kernelLog(let bytes): machine?.printOnConsole(bytes)
        case .progress:
            // Of no other step, and not of the next one, for which that is waited for.
            switch phase {
            case .settingUp, .starting: if !isSetUp { limitStep() }
            default: break
            }
        }
    }

    private func greet(_ version: UInt32, _ milliseconds: UInt32) {
        guard case .booting = phase, !hasGreeted else { return fail("it said hello twice") }
        guard version == AgentChannel.version else {
            return breakDown("the guest's agent speaks version \(version) of the protocol, expected \(AgentChannel.version): its initrd is of another build")
        }
        hasGreeted = true
        machine?.guestIsReady { [unowned self] in
            // It may have been ended meanwhile.
            if case .booting = phase, hasGreeted { setUp() }
        }
    }

    private func setUp() {
        phase = .settingUp
        isSetUp = false
        limitStep()
        var sandbox = container.sandbox
        if sandbox.time != 0 { sandbox.time = timers.realTime }
        // getrandom(2) does not fail for so few bytes.
        sandbox.seed = (try? randomBytes(32)) ?? []
        ask(.setUp(sandbox)) { [unowned self] failure in
            // The machine's end has a reason of its own.
            guard phase.isBeforeStart else { return }
            if let failure { return cannotStart(failure) }
            isSetUp = true
            noteFilledVolumes()
            guard case .settingUp = phase else { return limitStep() }
            timers.cancel(&patience)
            phase = .ready
            startIfWanted()
        }
        // Requests are served in their order: this one need not wait for the answer.
        startIfWanted()
    }

    /// The volumes have what the image has: they are left as they are from now on, by the next machine, too.
    private func noteFilledVolumes() {
        for index in container.sandbox.mounts.indices { container.sandbox.mounts[index].copiesImage = false }
        for mark in container.volumeMarks {
            let folder = mark.lastIndex(of: "/").map { mark[...$0] } ?? ""
            do throws(Errno) {
                // Takes no room on the disk.
                try renameFile(mark, to: folder + ContainerFiles.usedVolume)
            } catch {
                // Another container that uses the volume has.
                if error != .noEntry { Self.note("\(mark) cannot be renamed, its volume will be filled from the image again: \(error)") }
            }
        }
        container.volumeMarks = []
    }

    /// Begins the time that the agent has for the next step to the main process's start.
    func limitStep() {
        allow(Self.stepTime) { [unowned self] in
            let what = isSetUp ? "start the container's process" : "set the container up"
            breakDown("the guest's agent did not \(what) within \(Self.stepTime / .seconds(1)) s")
        }
    }

    private func takeEnd(of number: UInt32, _ end: ProcessEnd) {
        if number == 0 {
            guard case .running = phase, let main, main.end == nil else {
                if case .ending = phase, runEnd == nil, main?.hasStarted == true { return mainHasEnded(RunEnd(end: end)) }
                return fail("it reported the end of the main process, which does not run")
            }
            return mainHasEnded(RunEnd(end: end))
        }
        guard let process = processes[number], process.end == nil else {
            return fail("it reported the end of process \(number), which it was not asked for")
        }
        process.hasEnded(end)
    }

    private func fail(_ text: String) {
        link?.connection?.fail(text)
    }

    /// Asks what is answered by `done`; otherwise there is a failure.
    func ask(_ request: AgentRequest, _ answer: @escaping (AgentFailure?) -> Void) {
        query(request) { [unowned self] result in
            switch result {
            case .success(.done): answer(nil)
            case .success:
                answer(AgentFailure(.failed, "the guest's agent answered what was not asked"))
                fail("it answered what was not asked")
            case .failure(let failure): answer(failure)
            }
        }
    }

    /// Asks, if there is anybody to ask.
    func query(_ request: AgentRequest, _ answer: @escaping AgentConnection.Answer) {
        guard let agent = link?.connection else {
            return answer(.failure(AgentFailure(.failed, "the container's virtual machine does not run")))
        }
        agent.send(request, answer)
    }
}

extension AgentFailure {
    /// The exit status that fits.
    var status: UInt8 {
        switch kind {
        case .failed, .notFound: 125
        case .commandNotExecutable: 126
        case .commandNotFound: 127
        }
    }

    var message: MonitorMessage { .failed(status: status, Text.line(text)) }
}
