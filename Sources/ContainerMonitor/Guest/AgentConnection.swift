import AgentProtocol
import LinuxSystem
import Wire

/// The control connection of the agent that runs in the guest. What comes from there is checked: the guest is hostile.
final class AgentConnection {
    typealias Answer = (Result<AgentReply, AgentFailure>) -> Void

    var received: (AgentMessage) -> Void = { _ in }
    /// The agent broke the protocol; the text says how. Nothing is taken from it any more.
    var failed: (String) -> Void = { _ in }
    /// The agent is gone.
    var ended: () -> Void = {}

    private let socket: WatchedSocket
    private var frames = FrameQueue()
    private var unsent = ByteQueue()
    private var answers: [UInt32: Answer] = [:]
    private var lastNumber: UInt32 = 0
    private var isOver = false

    /// Requests without an answer: more than that are asked by nobody whose guest works.
    static let maximumRequests = 1024
    private static let chunk = 16 << 10
    private static let chunksInTurn = 16

    init(_ stream: consuming UnixStream, _ loop: EventLoop) {
        socket = WatchedSocket(stream, loop)
        socket.handler = { [weak self] in self?.handle($0) }
        socket.watch(for: .readable)
    }

    /// Asks the agent. The answer comes once: the agent's, or a failure when the agent is gone.
    func send(_ request: AgentRequest, _ answer: @escaping Answer) {
        guard !isOver else { return answer(.failure(AgentFailure(.failed, "the guest is gone"))) }
        guard answers.count < Self.maximumRequests else {
            return answer(.failure(AgentFailure(.failed, "the guest does not answer: \(answers.count) requests wait already")))
        }
        repeat { lastNumber &+= 1 } while answers[lastNumber] != nil
        let frame = request.frame(lastNumber)
        guard frame.count <= AgentChannel.headerSize + AgentChannel.maximumFrame else {
            return answer(.failure(AgentFailure(.failed, "\(frame.count) bytes for the guest's agent in one request, expected at most \(AgentChannel.maximumFrame)")))
        }
        answers[lastNumber] = answer
        unsent.append(frame)
        flush()
    }

    /// Takes what has come before the guest was gone, and ends.
    func finish() {
        receive(turns: .max)
        close()
    }

    /// Ends it; who waits for an answer is told so.
    func close() {
        guard !isOver else { return }
        isOver = true
        socket.close()
        let waiting = answers
        answers = [:]
        for answer in waiting.values { answer(.failure(AgentFailure(.failed, "the guest is gone"))) }
    }

    private func handle(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        receive(turns: Self.chunksInTurn)
    }

    private func flush() {
        // What cannot be sent is answered by the end of the connection, which reading finds.
        do throws(Errno) { try socket.send(&unsent) } catch { unsent.removeAll() }
        guard !isOver else { return }
        socket.watch(for: unsent.isEmpty ? .readable : [.readable, .writable])
        if !socket.isOpen { end() }
    }

    private func receive(turns: Int) {
        var turn = 0
        while !isOver, turn < turns {
            turn += 1
            let count = withUnsafeTemporaryAllocation(byteCount: Self.chunk, alignment: 1) { buffer -> Int? in
                let count: Int?
                do throws(Errno) { count = try socket.receive(into: buffer) } catch { count = 0 }
                if let count { frames.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
                return count
            }
            guard let count else { return }
            guard count > 0 else { return end() }
            takeFrames()
        }
    }

    private func end() {
        guard !isOver else { return }
        close()
        ended()
    }

    private func takeFrames() {
        while !isOver {
            switch frames.next() {
            case .incomplete: return
            case .invalid(let size): return fail("it announced a message of \(size) bytes, expected 1 to \(AgentChannel.maximumFrame)")
            case .frame(let bytes): take(bytes)
            }
        }
    }

    private func take(_ bytes: [UInt8]) {
        let message: AgentMessage
        do throws(WireError) {
            message = try AgentMessage(decoding: bytes)
        } catch {
            return fail("it sent what is no message (\(error))")
        }
        guard case .reply(let number, let reply) = message else { return received(message) }
        guard let answer = answers.removeValue(forKey: number) else { return fail("it answered request \(number), which nobody waits for") }
        if case .failed(let failure) = reply { return answer(.failure(failure)) }
        answer(.success(reply))
    }

    /// Says what the agent did wrong, and ends.
    func fail(_ text: String) {
        guard !isOver else { return }
        close()
        failed(text)
    }
}
