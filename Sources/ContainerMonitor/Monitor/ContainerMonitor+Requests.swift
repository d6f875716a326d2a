import AgentProtocol
import ContainerProtocol

/// What clients ask and the agent answers.
extension ContainerMonitor {
    /// How long a client waits for an agent that does not answer.
    static let answerTime: UInt64 = .seconds(30)

    /// Asks the agent for a client. The answer is nil when the agent says what does not fit.
    func query(_ request: AgentRequest, for client: ClientConnection, _ answer: @escaping (AgentReply) -> MonitorMessage?) {
        client.activity = .asking
        var isLate = false
        var timer: Timers.Token? = timers.after(Self.answerTime) {
            isLate = true
            client.finish(with: .failed(status: 125, "the guest's agent did not answer within \(Self.answerTime / .seconds(1)) s"))
        }
        query(request) { [unowned self] result in
            if isLate {
                // Nobody hears it; what has been done is so all the same.
                if case .success(let reply) = result { _ = answer(reply) }
                return
            }
            timers.cancel(&timer)
            switch result {
            case .success(let reply):
                guard let message = answer(reply) else {
                    client.finish(with: .failed(status: 125, "the guest's agent answered what was not asked"))
                    link?.connection?.fail("it answered what was not asked")
                    return
                }
                client.finish(with: message)
            case .failure(let failure): client.finish(with: failure.message)
            }
        }
    }

    func askForStatistics(_ client: ClientConnection) {
        query(.statistics, for: client) { [unowned self] reply in
            guard case .statistics(let statistics) = reply else { return nil }
            return .statistics(statistics, residentBytes: machine?.residentBytes() ?? 0)
        }
    }

    func askForProcesses(_ client: ClientConnection) {
        query(.processes, for: client) { reply in
            guard case .processes(let entries) = reply else { return nil }
            // A process's words are its own, and a terminal obeys some.
            return .processes(entries.map { entry in
                var entry = entry
                entry.command = Text.line(entry.command)
                if !(UInt8(ascii: "A")...UInt8(ascii: "z")).contains(entry.state) { entry.state = UInt8(ascii: "?") }
                return entry
            })
        }
    }

    func askForStatus(of path: String, _ client: ClientConnection) {
        query(.status(path: path), for: client) { reply in
            guard case .status(let status) = reply else { return nil }
            return .pathStatus(status)
        }
    }

    func pause(_ wanted: Bool, for client: ClientConnection) {
        guard case .running = phase, !stop.isRequested else {
            return client.finish(with: .failed(status: 125, "the container's process does not run"))
        }
        guard wanted != isPaused else {
            return client.finish(with: .failed(status: 125, wanted ? "the container is paused already" : "the container is not paused"))
        }
        query(.freeze(wanted), for: client) { [unowned self] reply in
            guard case .done = reply else { return nil }
            guard case .running = phase, !stop.isRequested else { return .done }
            isPaused = wanted
            status.state = wanted ? .paused : .running
            writeStatus()
            events.add(wanted ? "pause" : "unpause")
            return .done
        }
    }

    // MARK: Archives

    func archive(_ path: String, for client: ClientConnection) {
        guard let stream = makeStream(for: client) else { return }
        client.activity = .archive(stream)
        var answer: MonitorMessage?
        stream.take = { bytes in
            client.send(bytes, .output)
            if client.isFull { stream.isPaused = true }
        }
        // Both have to have come: the archive's end and the agent's word on it.
        let finish = {
            guard let answer, stream.hasEnded, case .archive(let current) = client.activity, current === stream else { return }
            stream.close()
            // They hold the stream.
            stream.take = { _ in }
            stream.ended = {}
            client.finish(with: answer)
        }
        stream.ended = finish
        stream.isPaused = false
        ask(.archive(path: path, stream: stream.token)) { [unowned self] failure in
            answer = failure?.message ?? .done
            if failure != nil { link?.forget(stream) }
            finish()
        }
    }

    func extract(_ path: String, for client: ClientConnection) {
        guard let stream = makeStream(for: client) else { return }
        client.activity = .extract(stream)
        stream.gotRoom = { client.proceed() }
        ask(.extract(path: path, stream: stream.token)) { [unowned self] failure in
            link?.forget(stream)
            guard case .extract(let current) = client.activity, current === stream else { return }
            client.finish(with: failure?.message ?? .done)
        }
    }

    private func makeStream(for client: ClientConnection) -> GuestStream? {
        guard let link, case .running = phase else {
            client.finish(with: .failed(status: 125, "the container's process does not run"))
            return nil
        }
        do throws(ContainerError) {
            return try link.makeStream()
        } catch {
            client.finish(with: .failed(status: 125, "\(error)"))
            return nil
        }
    }
}
