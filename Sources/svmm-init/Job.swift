import AgentProtocol

/// Work on files that a child of the agent does, so that everything else goes on: it may take long, and wait for the host.
final class Job {
    let number: UInt32
    let request: UInt32
    private let channel: Channel
    private var reported: [UInt8] = []

    /// Starts the child. What `work` throws becomes the answer.
    ///
    /// - Parameter kept: the descriptors that it needs.
    init(_ number: UInt32, _ request: UInt32, _ loop: Loop, keeping kept: [Int32], _ work: () throws(AgentFailure) -> Void) throws(AgentFailure) {
        self.number = number
        self.request = request
        let report: (read: Int32, write: Int32)
        do throws(Errno) {
            report = try makePipe()
        } catch {
            throw AgentFailure(.failed, "pipe: \(error.text)")
        }
        channel = Channel(owning: report.read, .job(number), loop)
        let child = agent_clone(0, -1)
        if child == 0 {
            closeAll(except: kept + [report.write])
            // Before the agent, and before the container: this can be asked for again.
            try? writeFile("/proc/self/oom_score_adj", "1000")
            do throws(AgentFailure) {
                try work()
                try? writeAll(report.write, [Self.success])
            } catch {
                try? writeAll(report.write, [error.kind.rawValue] + Array(error.text.utf8))
            }
            _exit(0)
        }
        let error = Errno.current
        close(report.write)
        guard child > 0 else { throw AgentFailure(.failed, "fork: \(error.text)") }
        channel.want(Channel.readable)
    }

    private static let success: UInt8 = 0xff

    /// The answer, when it is there.
    func advance(_ scratch: UnsafeMutableRawBufferPointer) -> AgentReply? {
        while channel.isOpen {
            let count = retrying { read(channel.file, scratch.baseAddress, scratch.count) }
            if count < 0, agent_errno() == EAGAIN { return nil }
            if count > 0, reported.count < 1 << 16 {
                reported += scratch[..<count]
                continue
            }
            channel.close()
        }
        guard let first = reported.first else { return .failed(AgentFailure(.failed, "the agent's child for this ended too early")) }
        if first == Self.success { return .done }
        return .failed(AgentFailure(AgentFailure.Kind(rawValue: first) ?? .failed, text(reported.dropFirst())))
    }
}
