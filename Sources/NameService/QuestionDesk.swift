import LinuxSystem

/// Where all questions come to, by whatever way, and are answered or forwarded. On the loop's thread.
final class QuestionDesk {
    private(set) var responder: Responder
    private let forwarder: Forwarder

    init(_ responder: Responder, _ forwarder: Forwarder) {
        (self.responder, self.forwarder) = (responder, forwarder)
    }

    func setTable(_ table: NameTable) {
        responder.table = table
    }

    func client(at address: InternetAddress) -> Client {
        let address = address.withoutScope
        return responder.table.names(of: address) == nil ? .unnamed : .named(address)
    }

    /// - Parameter reply: called at most once, now or later; nil: there will be no answer.
    func handle(_ message: [UInt8], _ transport: Responder.Transport, from address: InternetAddress, reply: @escaping ([UInt8]?) -> Void) {
        switch responder.decide(message, transport) {
        case .ignore: reply(nil)
        case .answer(let answer): reply(answer)
        case .forward(let query): forwarder.forward(query, transport, for: client(at: address), reply: reply)
        }
    }
}

/// Questions in datagrams to one address. On the loop's thread.
final class DatagramService {
    /// Of one turn, so that no address's flood keeps the loop from the others.
    private static let datagramsPerTurn = 64

    private let loop: EventLoop
    private let socket: DatagramSocket
    private let desk: QuestionDesk
    private let buffer: ReceiveBuffer
    private var token: EventLoop.Token?

    init(_ loop: EventLoop, _ endpoint: InternetEndpoint, _ desk: QuestionDesk, _ buffer: ReceiveBuffer) throws(Errno) {
        (self.loop, self.desk, self.buffer) = (loop, desk, buffer)
        socket = try DatagramSocket(boundTo: endpoint)
        token = try loop.watch(socket.raw, for: .readable) { [unowned self] _ in receive() }
    }

    func close() {
        if let token { loop.forget(token) }
        token = nil
    }

    private func receive() {
        for _ in 0..<Self.datagramsPerTurn {
            // An error is of one datagram, and taken with this call.
            guard let received = try? socket.receive(into: buffer.bytes) else { return }
            // Longer than any question; or from nowhere, where no answer goes to.
            guard received.count <= Query.longest, let message = buffer.message(received.count), let source = received.source,
                  source.port > 0 else { continue }
            desk.handle(message, .datagram, from: source.address) { [weak self] answer in
                // What cannot be sent is lost, as any datagram may be: who asked asks again.
                guard let self, let answer else { return }
                try? sending(answer) { bytes throws(Errno) in try self.socket.send(bytes, to: source) }
            }
        }
    }
}
