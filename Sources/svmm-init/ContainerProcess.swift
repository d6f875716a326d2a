import AgentProtocol

/// A process of the container that the host knows by a number.
final class ContainerProcess {
    let number: UInt32
    /// In the agent's PID namespace.
    let identifier: Int32
    let streams: ProcessStreams
    var state: State
    /// Tells by its end that the program runs, or before that why it does not.
    private let report: Channel
    private var reported: [UInt8] = []
    /// Out-of-memory kills before its start.
    let killsBefore: UInt64

    enum State {
        /// The request is answered when the program runs or does not.
        case starting(request: UInt32)
        case running
        /// What it has written may still be on its way.
        case ended(status: UInt8, wasOutOfMemory: Bool)
    }

    init(_ number: UInt32, _ identifier: Int32, _ streams: ProcessStreams, report: Channel, request: UInt32, killsBefore: UInt64) {
        self.number = number
        self.identifier = identifier
        self.streams = streams
        self.report = report
        self.killsBefore = killsBefore
        state = .starting(request: request)
        report.want(Channel.readable)
    }

    /// Whether the number still is this process's.
    var isAlive: Bool {
        if case .ended = state { false } else { true }
    }

    enum Outcome {
        case unknown, started
        case failed(AgentFailure)
    }

    /// What has become of the start.
    func readReport(_ scratch: UnsafeMutableRawBufferPointer) -> Outcome {
        while report.isOpen {
            let count = retrying { read(report.file, scratch.baseAddress, scratch.count) }
            if count < 0, agent_errno() == EAGAIN { return .unknown }
            if count > 0, reported.count < 1 << 16 {
                reported += scratch[..<count]
                continue
            }
            report.close()
        }
        guard let first = reported.first else { return .started }
        return .failed(AgentFailure(AgentFailure.Kind(rawValue: first) ?? .failed, text(reported.dropFirst())))
    }

    func close() {
        report.close()
        streams.close()
    }
}

extension ContainerProcess {
    func signal(_ number: UInt8) throws(AgentFailure) {
        guard kill(identifier, Int32(number)) == 0 else {
            throw AgentFailure(.failed, "signal \(number): \(Errno.current.text)")
        }
    }
}
