import AgentCore
import AgentProtocol

/// The container as the agent keeps it: what the host asked for, and what became of it.
final class Agent {
    let loop: Loop
    let control: Control
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 4096)
    let children: Channel
    var sandbox: Sandbox?
    var processes: [UInt32: ContainerProcess] = [:]

    static let maximumProcesses = 1024

    init() throws(Errno) {
        loop = try Loop()
        control = try Control(loop)
        children = Channel(owning: try descriptor(agent_child_signals()), .children, loop)
        children.want(Channel.readable)
    }

    func run() {
        control.send(.hello(version: AgentChannel.version, milliseconds: UInt32(truncatingIfNeeded: agent_nanoseconds() / 1_000_000)))
        while !control.isLost {
            loop.wait { key in handle(key) }
        }
    }

    private func handle(_ key: EventKey) {
        switch key {
        case .control: control.advance(scratch) { number, request in serve(number, request) }
        case .children: reap()
        case .process(let number): if let process = processes[number] { advance(process) }
        default: break
        }
    }

    private func serve(_ number: UInt32, _ request: AgentRequest) {
        do throws(AgentFailure) {
            if let reply = try answer(number, request) { control.send(.reply(request: number, reply)) }
        } catch {
            control.send(.reply(request: number, .failed(error)))
        }
    }

    /// nil: the answer comes later.
    private func answer(_ number: UInt32, _ request: AgentRequest) throws(AgentFailure) -> AgentReply? {
        switch request {
        case .setUp(let configuration):
            guard sandbox == nil else { throw AgentFailure(.failed, "the container has been set up before") }
            sandbox = try Sandbox(configuration)
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
        default: throw AgentFailure(.failed, "not done yet")
        }
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
