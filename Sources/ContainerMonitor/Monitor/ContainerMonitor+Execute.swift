import AgentProtocol
import ContainerProtocol

/// Processes beside the main one.
extension ContainerMonitor {
    /// Of them at a time.
    private static let maximumProcesses = 1024
    private static let hangUpSignal: UInt8 = 1

    func execute(_ configuration: ProcessConfiguration, _ streams: AttachedStreams, for client: ClientConnection) {
        do throws(ContainerError) {
            let process = try makeProcess(configuration, streams)
            client.activity = .asking
            let command = configuration.arguments.joined(separator: " ")
            begin(process, configuration, streams) { [unowned self] failure in
                if let failure { return client.finish(with: failure.message) }
                events.add("exec_start", ["process": "\(process.number)", "command": command])
                process.isDone = { [unowned self] in
                    processes[process.number] = nil
                    guard let end = process.end else { return }
                    events.add("exec_die", ["process": "\(process.number)", "exitCode": "\(end.status)"])
                    guard case .process(let current, _) = client.activity, current === process else { return }
                    process.remove(client)
                    client.finish(with: .exited(status: end.status, wasOutOfMemory: end.wasOutOfMemory))
                }
                if streams.isEmpty {
                    client.finish(with: .started)
                } else if client.isOver {
                    abandon(process)
                } else {
                    client.activity = .process(process, streams)
                    process.add(client)
                    client.send(.started)
                    client.proceed()
                }
                process.start()
            }
        } catch {
            client.finish(with: .failed(status: 125, "\(error)"))
        }
    }

    /// A process with its number and streams, of which the agent does not know yet.
    func makeProcess(_ configuration: ProcessConfiguration, _ streams: AttachedStreams) throws(ContainerError) -> GuestProcess {
        guard case .running = phase, let link else { throw ContainerError("the container's process does not run") }
        guard !isPaused else { throw ContainerError("the container is paused; unpause it first") }
        guard processes.count < Self.maximumProcesses else {
            throw ContainerError("\(processes.count) processes beside its own run in the container, which is as many as may")
        }
        repeat { lastProcess &+= 1 } while lastProcess == 0 || processes[lastProcess] != nil
        let hasTerminal = configuration.terminal != nil
        let output = streams.isEmpty || !hasTerminal && streams.isDisjoint(with: [.input, .output]) ? nil : try link.makeStream()
        let errors = !hasTerminal && streams.contains(.errors) ? try link.makeStream() : nil
        let process = GuestProcess(number: lastProcess, hasTerminal: hasTerminal, output: output, errors: errors)
        output?.gotRoom = { [unowned self] in proceedClients() }
        return process
    }

    /// Has the agent start it.
    func begin(
        _ process: GuestProcess, _ configuration: ProcessConfiguration, _ streams: AttachedStreams,
        _ answer: @escaping (AgentFailure?) -> Void
    ) {
        processes[process.number] = process
        var configuration = configuration
        configuration.streams = ProcessConfiguration.Streams(
            input: process.output?.token ?? 0, errors: process.errors?.token ?? 0, hasInput: streams.contains(.input))
        ask(.execute(process: process.number, configuration)) { [unowned self] failure in
            if failure != nil {
                processes[process.number] = nil
                link?.forget(process.output)
                link?.forget(process.errors)
            }
            answer(failure)
        }
    }

    /// Its client is gone: as when a terminal or a pipe is closed.
    func abandon(_ process: GuestProcess) {
        guard process.end == nil else { return }
        if process.hasTerminal {
            ask(.signal(process: process.number, signal: Self.hangUpSignal)) { _ in }
        } else {
            process.output?.endSending()
        }
    }

    /// The machine is gone, and with it all processes.
    func endOtherProcesses() {
        for process in Array(processes.values) where process.end == nil { process.hasEnded(ProcessEnd(status: 137)) }
    }
}
