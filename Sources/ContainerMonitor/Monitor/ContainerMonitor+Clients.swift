import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// Those who are connected to the container's socket, and the first one, who was from the start.
extension ContainerMonitor {
    /// Clients at a time.
    static let maximumClients = 64

    func addClient(_ stream: consuming UnixStream) -> ClientConnection {
        let client = ClientConnection(stream, loop, self)
        clients.append(client)
        return client
    }

    func acceptClient(_ stream: consuming UnixStream) {
        let user = try? stream.peerUser()
        guard user == CurrentProcess.user || user == 0 else { return }
        // One that wants nothing makes room for another.
        if clients.count >= Self.maximumClients { clients.first { $0.isIdle && $0 !== firstClient }?.end() }
        let client = addClient(stream)
        guard clients.count > Self.maximumClients else { return }
        client.send(.failed(status: 125, "the container has \(Self.maximumClients) clients, which is as many as it takes"))
        client.endWhenSent()
    }

    /// Those who wait for the container's end.
    func tellWaiting(_ end: RunEnd) {
        for client in clients {
            switch client.activity {
            case .waitingForEnd: client.finish(with: end.message)
            case .waitingForStart: client.finish(with: end.startMessage)
            case .nothing, .asking, .process, .archive, .extract: break
            }
        }
    }

    /// Those with a session of the main process.
    func tellAttached(_ main: GuestProcess, _ end: RunEnd) {
        for client in clients {
            guard case .process(let process, _) = client.activity, process === main else { continue }
            main.remove(client)
            client.finish(with: end.sessionMessage)
        }
    }

    /// A session with the main process, which runs.
    func attach(_ client: ClientConnection, to main: GuestProcess, _ streams: AttachedStreams) {
        client.activity = .process(main, streams)
        // First: a client that turns out to be gone is then removed again.
        main.add(client)
        client.send(.started)
        events.add("attach")
        client.proceed()
    }

    /// There is room for input, or an answer has come.
    func proceedClients() {
        for client in clients { client.proceed() }
    }

    /// Whether a connected client cleans up after the container.
    var isCleanupPromised: Bool { clients.contains { $0.hasPromisedCleanup } }
}

extension ContainerMonitor.RunEnd {
    /// For those who wait for the end.
    var message: MonitorMessage { .exited(status: end.status, wasOutOfMemory: end.wasOutOfMemory) }

    /// For those who were attached.
    var sessionMessage: MonitorMessage { failure.isEmpty ? message : .failed(status: end.status, failure) }

    /// For those who waited for the start.
    var startMessage: MonitorMessage {
        .failed(status: end.status, failure.isEmpty ? "the container was ended before its process started" : failure)
    }
}

extension ContainerMonitor: ClientHandler {
    func mayTakeMessage(of client: ClientConnection) -> Bool {
        guard !client.isSignalling else { return false }
        return switch client.activity {
        // Who does not read answers asks no more.
        case .nothing: !client.isFull
        case .asking: false
        case .waitingForStart, .waitingForEnd: true
        case .process(let process, _): process.output?.hasRoom ?? true
        case .archive: true
        case .extract(let stream): stream.hasRoom
        }
    }

    func take(_ message: ClientMessage, from client: ClientConnection) {
        if message.isRequest, !client.isBetweenRequests { return client.refuse("a request while another is under way") }
        switch message {
        case .attach(let streams): attach(client, streams)
        case .detach: wantsStart(client, nil)
        case .execute(let configuration, let streams): execute(configuration, streams, for: client)
        case .input(let bytes): takeInput(bytes, from: client)
        case .endOfInput: endInput(of: client)
        case .resize(let size):
            guard case .process(let process, _) = client.activity, process.hasTerminal else { return }
            signal(client) { .resize(process: process.number, size) }
        case .signal(let number): takeSignal(number, from: client)
        case .stop(let timeout):
            switch client.activity {
            case .process: break
            case .archive, .extract: return client.refuse("stop while a request is under way")
            case .nothing, .asking, .waitingForStart, .waitingForEnd: waitForEnd(client)
            }
            requestStop(after: timeout)
        case .wait: waitForEnd(client)
        case .promiseCleanup: client.hasPromisedCleanup = true
        case .pause(let isPaused): pause(isPaused, for: client)
        case .statistics: askForStatistics(client)
        case .processes: askForProcesses(client)
        case .status: client.send(.status(status))
        case .rename(let name):
            events.name = name
            client.send(.done)
        case .archive(let path): archive(path, for: client)
        case .extract(let path): extract(path, for: client)
        case .pathStatus(let path): askForStatus(of: path, client)
        case .growDisk(let serial, let size): query(.growDisk(serial: serial, size: size), for: client) { if case .done = $0 { .done } else { nil } }
        }
    }

    func hasEnded(_ client: ClientConnection) {
        clients.removeAll { $0 === client }
        switch client.activity {
        case .process(let process, _):
            process.remove(client)
            if process.number != 0 { abandon(process) }
        case .archive(let stream), .extract(let stream): stream.close()
        case .nothing, .asking, .waitingForStart, .waitingForEnd: break
        }
        client.activity = .nothing
        if client === firstClient || firstClient == nil, !hasFirstClientSpoken {
            // Whoever asked for the container is gone: it runs for itself.
            hasFirstClientSpoken = true
            startIfWanted()
        }
        noteProgress()
    }

    func hasReadAll(_ client: ClientConnection) {
        noteProgress()
    }

    func hasRoom(_ client: ClientConnection) {
        if case .process(let process, _) = client.activity { process.updatePauses() }
        if case .archive(let stream) = client.activity { stream.isPaused = client.isFull }
        if client.isBetweenRequests { client.proceed() }
    }

    // MARK: The main process

    private func attach(_ client: ClientConnection, _ streams: AttachedStreams) {
        guard case .running = phase, let main else { return wantsStart(client, streams) }
        attach(client, to: main, streams)
        if client === firstClient { hasFirstClientSpoken = true }
    }

    private func wantsStart(_ client: ClientConnection, _ streams: AttachedStreams?) {
        switch phase {
        case .preparing, .booting, .settingUp, .ready, .starting, .resting:
            client.activity = .waitingForStart(streams)
        case .running: client.finish(with: .started)
        case .draining, .leaving, .ending, .over:
            // A process that has been started and has ended since is for `wait` to tell.
            if streams == nil, runEnd?.hasRun == true { return client.finish(with: .started) }
            if restart.isDue {
                client.activity = .waitingForStart(streams)
            } else if let runEnd, !runEnd.hasRun {
                client.finish(with: runEnd.startMessage)
            } else {
                client.finish(with: .failed(status: 125, "the container has ended"))
            }
        }
        if client === firstClient, !hasFirstClientSpoken {
            hasFirstClientSpoken = true
            startIfWanted()
        }
    }

    private func waitForEnd(_ client: ClientConnection) {
        if let runEnd, !restart.isDue, phase.isPastDraining { return client.finish(with: runEnd.message) }
        client.activity = .waitingForEnd
    }

    // MARK: Sessions

    private func takeInput(_ bytes: [UInt8], from client: ClientConnection) {
        switch client.activity {
        case .process(let process, let streams) where streams.contains(.input): process.output?.send(bytes)
        case .extract(let stream): stream.send(bytes)
        // Of a session that has ended meanwhile.
        default: break
        }
    }

    private func endInput(of client: ClientConnection) {
        switch client.activity {
        case .process(let process, let streams) where streams.contains(.input):
            // A terminal has no end but what a person would type.
            if process.hasTerminal { process.output?.send([4]) } else { process.output?.endSending() }
        case .extract(let stream): stream.endSending()
        default: break
        }
    }

    private func takeSignal(_ number: UInt8, from client: ClientConnection) {
        if case .process(let process, _) = client.activity {
            if process.number == 0 {
                noteSignal(number)
                events.add("kill", ["signal": "\(number)"])
            }
            return signal(client) { .signal(process: process.number, signal: number) }
        }
        // One for a session that has not begun, or has ended.
        guard client.isBetweenRequests else { return }
        guard case .running = phase else {
            return client.finish(with: .failed(status: 125, "the container's process does not run"))
        }
        noteSignal(number)
        query(.signal(process: 0, signal: number), for: client) { if case .done = $0 { .done } else { nil } }
    }

    /// A message of a session that only the agent answers; the next one waits for that.
    private func signal(_ client: ClientConnection, _ request: () -> AgentRequest) {
        client.isSignalling = true
        let goOn = {
            client.isSignalling = false
            client.proceed()
        }
        // An agent that does not answer keeps nobody from asking for the container's end.
        var timer: Timers.Token?
        timer = timers.after(Self.answerTime) {
            timer = nil
            goOn()
        }
        ask(request()) { [unowned self] _ in
            guard timer != nil else { return }
            timers.cancel(&timer)
            goOn()
        }
    }

    /// Who sends the signal that ends a container does not want it back.
    private func noteSignal(_ number: UInt8) {
        if number == 9 || number == container.sandbox.stopSignal { wantEnd() }
    }
}

extension ClientMessage {
    /// Whether it asks for something that may only be asked when nothing else is.
    fileprivate var isRequest: Bool {
        switch self {
        case .input, .endOfInput, .resize, .signal, .stop, .promiseCleanup: false
        case .attach, .detach, .execute, .wait, .pause, .statistics, .processes, .status, .rename, .archive, .extract, .pathStatus, .growDisk: true
        }
    }
}

extension ContainerMonitor.Phase {
    /// The main process's end has been told.
    fileprivate var isPastDraining: Bool {
        switch self {
        case .leaving, .ending, .over: true
        default: false
        }
    }
}
