import LinuxSystem

/// One client's connection, and the questions on it. On the loop's thread.
final class StreamClient {
    let peer: InternetAddress
    /// Of the monotonic clock, in nanoseconds.
    private(set) var lastUse = Clock.monotonicNanoseconds()

    private let loop: EventLoop
    private let deadlines: Deadlines
    private let stream: UnixStream
    private let desk: QuestionDesk
    private let buffer: ReceiveBuffer
    private let limits: NameServerConfiguration.Limits
    private let idleTime: UInt64
    private let ended: (StreamClient) -> Void

    private var token: EventLoop.Token?
    private var deadline: Deadlines.Identifier?
    private var input = MessageAssembly()
    private var output = OutputQueue()
    /// Questions that wait for their answers.
    private var waiting = 0
    /// Whether the client sends no more.
    private var isAtEnd = false

    /// - Parameter ended: called when the connection has ended by itself.
    init(_ loop: EventLoop, _ deadlines: Deadlines, _ stream: consuming UnixStream, _ peer: InternetAddress, _ desk: QuestionDesk,
         _ buffer: ReceiveBuffer, _ configuration: NameServerConfiguration, ended: @escaping (StreamClient) -> Void) {
        (self.loop, self.deadlines, self.peer, self.desk, self.buffer) = (loop, deadlines, peer, desk, buffer)
        (limits, idleTime, self.ended) = (configuration.limits, configuration.times.idle, ended)
        self.stream = stream
    }

    func start() throws(Errno) {
        token = try loop.watch(stream.raw, for: .readable) { [unowned self] readiness in handle(readiness) }
        awaitUse()
    }

    /// Ends the connection at once, and says nothing.
    func close() {
        if let token { loop.forget(token) }
        token = nil
        if let deadline { deadlines.cancel(deadline) }
        deadline = nil
    }

    /// Ends the connection at once. Its descriptor is closed when nobody has this object any more.
    func end() {
        guard token != nil else { return }
        close()
        ended(self)
    }

    private func awaitUse() {
        if let deadline { deadlines.cancel(deadline) }
        deadline = deadlines.add(after: idleTime) { [weak self] in
            guard let self else { return }
            // Answers that are on their way come soon, or are given up.
            if waiting > 0 { awaitUse() } else { end() }
        }
    }

    private func noteUse() {
        lastUse = Clock.monotonicNanoseconds()
        awaitUse()
    }

    private func handle(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: [.hangUp, .error]) { return end() }
        do throws(Errno) {
            if readiness.contains(.writable), !output.isEmpty {
                try output.send(to: stream)
                if output.isEmpty { noteUse() }
            } else if readiness.contains(.readable), mayRead {
                // Two of the longest questions: what comes faster waits in the socket.
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<(2 * Query.longest)])
                if let count = try stream.receive(into: part) {
                    isAtEnd = count == 0
                    input.append(part[..<count])
                }
            }
            try proceed()
        } catch {
            end()
        }
    }

    private var mayRead: Bool { !isAtEnd && mayTake }
    /// No client makes us keep more than a few answers.
    private var mayTake: Bool { waiting < limits.queriesPerConnection && output.isEmpty }

    /// Takes the questions that have come, as far as they may be taken, and waits for what is next.
    private func proceed() throws(Errno) {
        while mayTake, token != nil {
            // No question is as long, and nothing that came after it could be found.
            if let length = input.nextLength, length > Query.longest { return end() }
            guard let message = input.next() else { break }
            noteUse()
            take(message)
        }
        guard let token else { return }
        if isAtEnd, waiting == 0, output.isEmpty { return end() }
        var readiness: Readiness = mayRead ? .readable : []
        if !output.isEmpty { readiness.insert(.writable) }
        try loop.rearm(token, for: readiness)
    }

    private func take(_ message: [UInt8]) {
        waiting += 1
        var isWithinCall = true
        desk.handle(message, .stream, from: peer) { [weak self] answer in
            guard let self, token != nil else { return }
            waiting -= 1
            if let answer { output.append(answer) }
            flush()
            // Within this call, whoever has made it goes on.
            guard !isWithinCall, token != nil else { return }
            do throws(Errno) { try proceed() } catch { end() }
        }
        isWithinCall = false
    }

    private func flush() {
        do throws(Errno) {
            try output.send(to: stream)
            if output.isEmpty { noteUse() }
        } catch {
            end()
        }
    }
}
