import AgentCore
import AgentProtocol

/// The container as the agent keeps it: what the host asked for, and what became of it.
final class Agent {
    let loop: Loop
    private(set) var control: Control
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 4096)
    let children: Channel
    private var memory: Channel?
    private var toldKills: UInt64 = 0
    private let buttons: [Channel]
    let timer: Channel
    var sandbox: Sandbox?
    var processes: [UInt32: ContainerProcess] = [:]
    private var jobs: [UInt32: Job] = [:]
    private var jobCount: UInt32 = 0
    var ending = Ending.no

    static let maximumProcesses = 1024
    private static let maximumJobs = 64

    init() throws(Errno) {
        loop = try Loop()
        children = Channel(owning: try descriptor(agent_child_signals()), .children, loop)
        children.want(Channel.readable)
        timer = Channel(owning: try descriptor(timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC))), .timer, loop)
        timer.want(Channel.readable)
        // Before the host knows that there is somebody: what was pressed earlier is told to nobody.
        buttons = Self.openButtons(loop)
        control = try Control(loop)
        sayHello()
    }

    private func sayHello() {
        control.send(.hello(version: AgentChannel.version, milliseconds: UInt32(truncatingIfNeeded: agent_nanoseconds() / 1_000_000)))
    }

    /// The machine goes on from a template: another host listens. False when none does.
    private func reconnect() -> Bool {
        control.close()
        guard let next = try? Control(loop) else { return false }
        control = next
        sayHello()
        return true
    }

    private static func openButtons(_ loop: Loop) -> [Channel] {
        names(in: "/dev/input").filter { $0.starts(with: Array("event".utf8)) }.compactMap { name in
            let file = agent_open("/dev/input/" + text(name), O_RDONLY, 0)
            guard file >= 0 else { return nil }
            let button = Channel(owning: file, .button(file), loop)
            button.want(Channel.readable)
            return button
        }
    }

    /// Returns when the machine is to be switched off.
    func run() {
        while true {
            loop.wait { key in handle(key) }
            // A container's host is gone with the connection, and one that sends nonsense is none.
            if control.isLost, sandbox != nil || control.isNonsense || !reconnect() { end(.lost) }
            proceed()
            if isAtEnd { return }
        }
    }

    private func handle(_ key: EventKey) {
        switch key {
        case .control: control.advance(scratch) { number, request in serve(number, request) }
        case .children: reap()
        case .memory: tellKills()
        case .timer: timeHasCome()
        case .button(let file): if buttonIsPressed(file) { end(.button) }
        case .process(let number): if let process = processes[number] { advance(process) }
        case .job(let number):
            if let job = jobs[number], let reply = job.advance(scratch) {
                jobs[number] = nil
                answer(job.request, reply)
            }
        }
    }

    /// Whether the power button was pressed, not released.
    private func buttonIsPressed(_ file: Int32) -> Bool {
        var event = agent_input_event()
        var isPressed = false
        while read(file, &event, MemoryLayout<agent_input_event>.size) == MemoryLayout<agent_input_event>.size {
            // EV_KEY, KEY_POWER
            if event.type == 1, event.code == 116, event.value == 1 { isPressed = true }
        }
        return isPressed
    }

    /// How many processes were killed for want of memory; the host is told what it does not know yet.
    @discardableResult
    func tellKills() -> UInt64 {
        guard let sandbox else { return 0 }
        let kills = sandbox.cgroup.outOfMemoryKills
        if kills > toldKills {
            toldKills = kills
            control.send(.outOfMemory(count: UInt32(truncatingIfNeeded: kills)))
        }
        return kills
    }

    private func serve(_ number: UInt32, _ request: AgentRequest) {
        do throws(AgentFailure) {
            if let reply = try serveNow(number, request) { answer(number, reply) }
        } catch {
            answer(number, .failed(error))
        }
    }

    func answer(_ request: UInt32, _ reply: AgentReply) {
        control.send(.reply(request: request, reply.clipped))
    }

    /// nil: the answer comes later.
    private func serveNow(_ number: UInt32, _ request: AgentRequest) throws(AgentFailure) -> AgentReply? {
        switch request {
        case .setUp(let configuration):
            guard sandbox == nil else { throw AgentFailure(.failed, "the container has been set up before") }
            let new = try Sandbox(configuration) { control.send(.progress) }
            sandbox = new
            if let events = new.cgroup.memoryEvents {
                memory = Channel(owning: events, .memory, loop)
                memory?.want(Channel.urgent)
            }
            return .done
        case .start(let configuration):
            try start(0, configuration, number)
            return nil
        case .execute(let process, let configuration):
            guard process != 0 else { throw AgentFailure(.failed, "0 is the main process's number") }
            try start(process, configuration, number)
            return nil
        case .signal(let process, let signal):
            try running(process).signal(signal)
            return .done
        case .resize(let process, let size):
            try running(process).streams.resize(size)
            return .done
        case .statistics: return .statistics(try requireSandbox().statistics)
        case .processes: return .processes(try requireSandbox().processes)
        case .freeze(let isFrozen):
            try requireSandbox().cgroup.freeze(isFrozen)
            return .done
        case .growDisk(let serial, let size):
            let sandbox = try requireSandbox()
            try startJob(number, sandbox) {() throws(AgentFailure) in try sandbox.growDisk(serial, to: size) }
            return nil
        case .archive(let path, let stream):
            let sandbox = try requireSandbox()
            try startJob(number, sandbox) {() throws(AgentFailure) in try sandbox.archive(path, to: stream) }
            return nil
        case .extract(let path, let stream):
            let sandbox = try requireSandbox()
            try startJob(number, sandbox) {() throws(AgentFailure) in try sandbox.extract(path, from: stream) }
            return nil
        case .status(let path): return .status(try requireSandbox().status(path))
        case .setTime(let time):
            guard agent_set_clock(time) == 0 else { throw AgentFailure(.failed, "clock: \(Errno.current.text)") }
            return .done
        case .shutDown(let syncs):
            end(.request(number, syncs: syncs))
            return nil
        }
    }

    private func startJob(_ request: UInt32, _ sandbox: Sandbox, _ work: () throws(AgentFailure) -> Void) throws(AgentFailure) {
        guard jobs.count < Self.maximumJobs else { throw AgentFailure(.failed, "\(jobs.count) archives are under way, no more are possible") }
        jobCount &+= 1
        jobs[jobCount] = try Job(jobCount, request, loop, keeping: [sandbox.root], work)
    }

    private func running(_ number: UInt32) throws(AgentFailure) -> ContainerProcess {
        guard let process = processes[number], process.isAlive else {
            throw AgentFailure(.notFound, number == 0 ? "the container's process does not run" : "process \(number) does not run")
        }
        return process
    }

    func requireSandbox() throws(AgentFailure) -> Sandbox {
        guard let sandbox else { throw AgentFailure(.failed, "the container has not been set up") }
        return sandbox
    }
}
