import LinuxSystem

/// One question at one resolver. It ends by calling `done` once, or by `close`. On the loop's thread.
protocol Conversation: AnyObject {
    /// Ends it; nothing is called any more.
    func close()
}

/// nil: there is no answer from there.
typealias ConversationEnd = (ResolverAnswer?) -> Void

/// A question, and under which number it is asked.
struct NumberedQuery {
    let query: Query
    let identifier: UInt16

    /// With a random number of the kernel, which who forges an answer has to guess (RFC 5452, 9).
    init(_ query: Query) throws(Errno) {
        let bytes = try randomBytes(2)
        self.query = query
        identifier = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    }

    var message: [UInt8] { query.message(identifier: identifier) }

    func answer(_ message: [UInt8]) -> ResolverAnswer? {
        ResolverAnswer(message, identifier: identifier, question: query.question)
    }
}

/// By UDP, from a port of its own that the kernel picks. Datagrams from elsewhere do not come to it.
final class DatagramConversation: Conversation {
    private let loop: EventLoop
    private let socket: DatagramSocket
    private let query: NumberedQuery
    private let buffer: ReceiveBuffer
    private let done: ConversationEnd
    private var token: EventLoop.Token?

    init(_ loop: EventLoop, _ resolver: InternetEndpoint, _ query: NumberedQuery, _ buffer: ReceiveBuffer,
         done: @escaping ConversationEnd) throws(Errno) {
        (self.loop, self.query, self.buffer, self.done) = (loop, query, buffer, done)
        let socket = try DatagramSocket(connectedTo: resolver)
        try sending(query.message) { bytes throws(Errno) in try socket.send(bytes) }
        self.socket = socket
        token = try loop.watch(self.socket.raw, for: .readable) { [unowned self] _ in receive() }
    }

    func close() {
        if let token { loop.forget(token) }
        token = nil
    }

    private func receive() {
        do throws(Errno) {
            // A flood does not keep the loop: what is left makes the socket ready again.
            for _ in 0..<8 {
                guard let received = try socket.receive(into: buffer.bytes) else { return }
                guard let message = buffer.message(received.count), let answer = query.answer(message) else { continue }
                return done(answer)
            }
        } catch {
            // Nobody listens there, or nobody can be reached.
            done(nil)
        }
    }
}

/// By TCP (RFC 7766): a connection for one question.
final class StreamConversation: Conversation {
    private let loop: EventLoop
    private let stream: UnixStream
    private let query: NumberedQuery
    private let buffer: ReceiveBuffer
    private let done: ConversationEnd
    private var token: EventLoop.Token?
    private var output: OutputQueue
    private var input = MessageAssembly()

    init(_ loop: EventLoop, _ resolver: InternetEndpoint, _ query: NumberedQuery, _ buffer: ReceiveBuffer,
         done: @escaping ConversationEnd) throws(Errno) {
        (self.loop, self.query, self.buffer, self.done) = (loop, query, buffer, done)
        output = OutputQueue()
        output.append(query.message)
        stream = try UnixStream(connectingTo: resolver)
        token = try loop.watch(stream.raw, for: .writable) { [unowned self] _ in proceed() }
    }

    func close() {
        if let token { loop.forget(token) }
        token = nil
    }

    private func proceed() {
        do throws(Errno) {
            guard output.isEmpty else {
                try output.send(to: stream)
                if output.isEmpty, let token { try loop.rearm(token, for: .readable) }
                return
            }
            guard let count = try stream.receive(into: buffer.bytes) else { return }
            guard count > 0 else { return done(nil) }
            input.append(buffer.bytes[..<count])
            guard let message = input.next() else { return }
            done(query.answer(message))
        } catch {
            done(nil)
        }
    }
}

/// Bytes of memory for what comes next, shared by all who receive on a loop: nobody keeps them beyond a call.
final class ReceiveBuffer {
    /// One more than the largest datagram.
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)

    deinit {
        bytes.deallocate()
    }

    /// The first bytes, copied; nil where there were more than fit.
    func message(_ count: Int) -> [UInt8]? {
        count <= bytes.count ? Array(bytes[..<count]) : nil
    }
}

/// Has bytes where system calls can read them.
func sending(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(Errno) -> Void) throws(Errno) {
    let result = bytes.withUnsafeBytes { buffer in Result { () throws(Errno) in try body(buffer) } }
    try result.get()
}
