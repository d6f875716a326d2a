import LinuxSystem
import Synchronization
import TestSupport

/// Resolvers at addresses of 127.0.0.0/8, which share a port, by UDP and TCP.
final class FakeResolvers: Sendable {
    /// A question that has come to one of them.
    struct Request {
        let message: [UInt8]
        let isStream: Bool
        /// The resolver's last byte: 127.0.0.2 is 2.
        let resolver: UInt8
        let source: InternetEndpoint
        /// May be called more than once for datagrams.
        let reply: ([UInt8]) -> Void
    }

    let port: UInt16
    let addresses: [String]
    private let datagrams: [DatagramServer]
    private let streams: [StreamServer]
    private let recorder: Recorder

    /// - Parameters:
    ///   - numbers: the last bytes of their addresses.
    ///   - handle: on one of their threads.
    init(_ numbers: [UInt8], _ handle: @escaping @Sendable (Request) -> Void) throws {
        addresses = numbers.map { "127.0.0.\($0)" }
        let recorder = try Recorder()
        self.recorder = recorder
        var made: ([DatagramServer], [StreamServer]) = ([], [])
        port = try withFreePort { port in
            made = ([], [])
            do {
                for number in numbers {
                    made.0.append(try DatagramServer(address: "127.0.0.\(number)", port: port) { message, source, reply in
                        recorder.note(Array(message), false, number, source.port)
                        handle(Request(message: Array(message), isStream: false, resolver: number, source: source, reply: reply))
                    })
                    made.1.append(try StreamServer("127.0.0.\(number)", port) { message, source, reply in
                        recorder.note(message, true, number, source.port)
                        handle(Request(message: message, isStream: true, resolver: number, source: source, reply: reply))
                    })
                }
            } catch {
                for server in made.0 { server.stop() }
                for server in made.1 { server.stop() }
                throw error
            }
        }
        (datagrams, streams) = made
    }

    deinit {
        for server in datagrams { server.stop() }
        for server in streams { server.stop() }
    }

    /// What has come so far.
    var requests: [Seen] { recorder.requests.withLock { $0 } }

    struct Seen: Sendable {
        let message: [UInt8]
        let isStream: Bool
        let resolver: UInt8
        /// Of the server that asked.
        let port: UInt16
    }

    /// Those with a name in their question.
    func requests(for name: String) -> [Seen] { requests.filter { WireMessage.asked($0.message) == name } }

    /// Waits until so many have come.
    func waitForRequests(_ count: Int) throws {
        while requests.count < count { try recorder.news.wait("\(count) questions") }
    }

    private final class Recorder: Sendable {
        let requests = Mutex<[Seen]>([])
        let news: EventNotifier

        init() throws { news = try EventNotifier() }

        func note(_ message: [UInt8], _ isStream: Bool, _ resolver: UInt8, _ port: UInt16) {
            requests.withLock { $0.append(Seen(message: message, isStream: isStream, resolver: resolver, port: port)) }
            news.signal()
        }
    }
}

/// Answers the first message of each connection, one connection after the other.
private final class StreamServer: Sendable {
    private let finished = Gate()
    private let end: EventNotifier

    init(_ address: String, _ port: UInt16, handle: @escaping @Sendable ([UInt8], InternetEndpoint, @escaping ([UInt8]) -> Void) -> Void) throws {
        guard let address = InternetAddress(address) else { throw Errno.invalidArgument }
        let listener = try Listener(InternetEndpoint(address, port: port))
        let end = try EventNotifier()
        self.end = end
        _ = try Thread(name: "streams") { [finished] in
            while waitForInput(end.raw, or: listener.socket.raw, within: -1) == 1 {
                guard let accepted = try? listener.socket.accept() else { continue }
                let connection = Connection(peer: accepted.peer, stream: accepted.take())
                guard let message = connection.read(until: end) else { continue }
                handle(message, connection.peer, connection.reply)
            }
            finished.open()
        }
    }

    func stop() {
        end.signal()
        finished.wait()
    }

    private final class Listener: Sendable {
        let socket: StreamListener

        init(_ endpoint: InternetEndpoint) throws { socket = try StreamListener(boundTo: endpoint) }
    }

    private final class Connection: Sendable {
        let peer: InternetEndpoint
        private let stream: UnixStream

        init(peer: InternetEndpoint, stream: consuming UnixStream) {
            self.peer = peer
            self.stream = stream
        }

        /// The first message; nil: it does not come, or everything ends.
        func read(until end: EventNotifier) -> [UInt8]? {
            var bytes: [UInt8] = []
            while bytes.count < 2 || bytes.count < 2 + Int(bytes[0]) << 8 + Int(bytes[1]) {
                guard waitForInput(end.raw, or: stream.raw, within: -1) == 1 else { return nil }
                var part = [UInt8](repeating: 0, count: 4096)
                guard let count = try? part.withUnsafeMutableBytes({ try stream.receive(into: $0) }), count > 0 else { return nil }
                bytes += part[..<count]
            }
            return Array(bytes[2...])
        }

        /// As much as the socket takes at once.
        func reply(_ message: [UInt8]) {
            _ = try? (WireMessage.number(UInt16(message.count)) + message).withUnsafeBytes { try stream.send($0) }
        }
    }
}
