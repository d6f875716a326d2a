import LinuxSystem

/// Answers datagrams that come to a port of the calling thread's network namespace, until `stop`.
public final class DatagramServer: Sendable {
    private static let datagramLimit = 1 << 16

    private let finished = Gate()
    private let end: EventNotifier

    /// - Parameters:
    ///   - address: where it listens; the standard is everywhere, by IPv4.
    ///   - answer: what is sent back for a datagram; nil: nothing. On the server's thread.
    public convenience init(address: String = "0.0.0.0", port: UInt16, answer: @escaping @Sendable (ArraySlice<UInt8>) -> [UInt8]?) throws {
        try self.init(address: address, port: port) { message, _, reply in
            if let bytes = answer(message) { reply(bytes) }
        }
    }

    /// - Parameter handle: gets a datagram, whose it is, and what sends something back. On the server's thread.
    public init(address: String, port: UInt16,
                handle: @escaping @Sendable (ArraySlice<UInt8>, InternetEndpoint, @escaping ([UInt8]) -> Void) -> Void) throws {
        guard let address = InternetAddress(address) else { throw Errno.invalidArgument }
        let socket = try SharedSocket(InternetEndpoint(address, port: port))
        let end = try EventNotifier()
        self.end = end
        _ = try Thread(name: "datagrams") { [finished] in
            while waitForInput(end.raw, or: socket.value.raw, within: -1) == 1 { Self.serve(socket, handle) }
            finished.open()
        }
    }

    public func stop() {
        end.signal()
        finished.wait()
    }

    private static func serve(_ socket: SharedSocket,
                              _ handle: (ArraySlice<UInt8>, InternetEndpoint, @escaping ([UInt8]) -> Void) -> Void) {
        var bytes = [UInt8](repeating: 0, count: datagramLimit)
        guard let received = try? bytes.withUnsafeMutableBytes({ try socket.value.receive(into: $0) }), let source = received.source else { return }
        handle(bytes[..<received.count], source) { reply in
            try? reply.withUnsafeBytes { try socket.value.send($0, to: source) }
        }
    }
}

/// A socket that closures can hold.
private final class SharedSocket: Sendable {
    let value: DatagramSocket

    init(_ endpoint: InternetEndpoint) throws {
        value = try DatagramSocket(boundTo: endpoint)
    }
}
