import LinuxSystem
import MachineProtocol

/// A connection to a running machine that never waits: many are asked at once, and none can hold up the others.
final class MachineInquiry {
    enum Outcome {
        /// No answer yet, or never.
        case silent
        /// An answer that is none of this version's.
        case garbled
        case answered(MachineStatistics)
        /// The machine has ended meanwhile.
        case gone
    }

    let place: MachinePlace
    /// The monitor; nil when it is not known.
    let process: Int32?
    private(set) var outcome = Outcome.silent
    private let socket: UnixStream
    private let isConnected: Bool
    private var hasAsked = false
    private var received: [UInt8] = []

    private init(_ place: MachinePlace, _ socket: consuming UnixStream, isConnected: Bool) {
        self.place = place
        process = isConnected ? socket.peerProcess() : nil
        self.socket = socket
        self.isConnected = isConnected
    }

    /// nil when no machine of this user runs there. Throws where this process cannot open another socket.
    static func open(_ place: MachinePlace) throws(Errno) -> MachineInquiry? {
        let socket = try UnixStream()
        // Whatever the reason: a socket that a killed machine has left, a directory without one, somebody else's.
        guard let isConnected = try? socket.connect(to: place.control) else { return nil }
        if isConnected {
            guard let user = try? socket.peerUser(), user == CurrentProcess.user || user == 0 else { return nil }
        }
        // Else as many clients wait already as the machine lets wait: it is there, and serves nobody.
        return MachineInquiry(place, socket, isConnected: isConnected)
    }

    /// Asks them all, and waits for the answers until every machine has given one, at most for a time in nanoseconds.
    static func ask(_ inquiries: [MachineInquiry], within time: UInt64) {
        for inquiry in inquiries { inquiry.ask() }
        let deadline = Clock.monotonicNanoseconds() + time
        var polled = PollSet(capacity: inquiries.count)
        while inquiries.contains(where: \.isWaiting) {
            for (index, inquiry) in inquiries.enumerated() { polled.set(index, inquiry.isWaiting ? inquiry.socket.raw : nil, input: true) }
            let now = Clock.monotonicNanoseconds()
            let hasTime = now < deadline
            polled.wait(milliseconds: hasTime ? Int32(clamping: (deadline - now) / 1_000_000 + 1) : 0)
            for (index, inquiry) in inquiries.enumerated() where polled.isReady(index) { inquiry.take() }
            // What had come by then has been taken.
            guard hasTime else { return }
        }
    }

    private var isWaiting: Bool {
        if case .silent = outcome { hasAsked } else { false }
    }

    private func ask() {
        guard isConnected, !hasAsked else { return }
        let frame = ControlRequest.statistics.frame
        let sent: Int?
        do throws(Errno) {
            sent = try Self.send(frame, to: socket)
        } catch {
            return outcome = .gone
        }
        // A new connection has room for these few bytes.
        hasAsked = sent == frame.count
    }

    private static func send(_ bytes: [UInt8], to socket: borrowing UnixStream) throws(Errno) -> Int? {
        var result: Result<Int?, Errno> = .success(nil)
        bytes.withUnsafeBytes { bytes in
            do throws(Errno) { result = .success(try socket.send(bytes)) } catch { result = .failure(error) }
        }
        return try result.get()
    }

    /// Takes what has come of the answer.
    private func take() {
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count: Int?
        do throws(Errno) {
            count = try Self.receive(&chunk, from: socket)
        } catch {
            return outcome = .gone
        }
        guard let count else { return }
        guard count > 0 else { return outcome = .gone }
        received += chunk.prefix(count)
        guard received.count >= ControlFrame.headerSize else { return }
        guard let size = ControlFrame.size(received.prefix(ControlFrame.headerSize)) else { return outcome = .garbled }
        guard received.count >= ControlFrame.headerSize + size else { return }
        let message = Array(received[ControlFrame.headerSize...].prefix(size))
        guard case .statistics(let statistics)? = try? ControlReply(decoding: message) else { return outcome = .garbled }
        outcome = .answered(statistics)
    }

    private static func receive(_ chunk: inout [UInt8], from socket: borrowing UnixStream) throws(Errno) -> Int? {
        var result: Result<Int?, Errno> = .success(nil)
        chunk.withUnsafeMutableBytes { bytes in
            do throws(Errno) { result = .success(try socket.receive(into: bytes)) } catch { result = .failure(error) }
        }
        return try result.get()
    }
}
