import LinuxSystem
@testable import NameService
import TestSupport

/// A name server on a thread of its own, at 127.0.0.1 and a port that was free.
final class ServerHarness: Sendable {
    let directory = TemporaryDirectory()
    let endpoint: InternetEndpoint
    /// Signalled when nobody is named any more.
    let nameless: EventNotifier
    private let thread: LoopThread
    private let server: ServerBox

    /// - Parameters:
    ///   - resolvers: the lines of resolv.conf.
    ///   - resolverPort: of all of them.
    init(names: String = "web 10.89.0.2\n", resolvers: [String] = [], resolverPort: UInt16 = 9,
         _ change: (inout NameServerConfiguration) -> Void = { _ in }) throws {
        guard let address = InternetAddress("127.0.0.1") else { throw Errno.invalidArgument }
        var configuration = NameServerConfiguration(addresses: [address], names: try directory.file("names", Array(names.utf8)))
        configuration.resolverFile = try directory.file("resolv.conf", Array(resolvers.map { "nameserver \($0)\n" }.joined().utf8))
        configuration.resolverPort = resolverPort
        change(&configuration)
        let (box, nameless) = (ServerBox(), try EventNotifier())
        thread = try LoopThread { loop in
            let port = try withFreePort { port in
                configuration.port = port
                box.server = try NameServer(configuration, on: loop)
            }
            configuration.port = port
            box.server?.whenNameless = { nameless.signal() }
        }
        (server, self.nameless) = (box, nameless)
        endpoint = InternetEndpoint(address, port: configuration.port)
    }

    deinit {
        let server = server
        thread.loop.performAndWait {
            server.server?.close()
            server.server = nil
        }
    }

    /// Puts another file of names in place, as the engine does.
    func setNames(_ text: String) throws {
        try renameFile(try directory.file("names.new", Array(text.utf8)), to: directory.path("names"))
    }

    func setResolvers(_ addresses: [String]) throws {
        let text = addresses.map { "nameserver \($0)\n" }.joined()
        try renameFile(try directory.file("resolv.new", Array(text.utf8)), to: directory.path("resolv.conf"))
    }

    /// Asks by UDP, and waits for the answer.
    func ask(_ message: [UInt8]) throws -> [UInt8] {
        let client = try DatagramClient(endpoint)
        try client.send(message)
        return try client.receive()
    }

    private final class ServerBox: @unchecked Sendable {
        // Sound: used by the loop's thread alone, once that runs.
        var server: NameServer?
    }
}

/// Runs the body with ports until it finds one that it can listen at.
@discardableResult
func withFreePort(_ body: (UInt16) throws -> Void) throws -> UInt16 {
    var last: any Error = Errno.addressInUse
    for _ in 0..<50 {
        // Below those that the kernel gives to clients.
        let port = UInt16.random(in: 10_000..<32_000)
        do {
            try body(port)
            return port
        } catch {
            last = error
        }
    }
    throw last
}

final class DatagramClient: Sendable {
    private let socket: DatagramSocket

    var raw: Int32 { socket.raw }

    init(_ endpoint: InternetEndpoint) throws {
        socket = try DatagramSocket(connectedTo: endpoint)
    }

    func send(_ message: [UInt8]) throws {
        try message.withUnsafeBytes { try socket.send($0) }
    }

    func receive() throws -> [UInt8] {
        try waitUntilReadable(socket.raw, "an answer")
        return try receiveWaiting() ?? []
    }

    /// nil: nothing has come.
    func receiveWaiting() throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let received = try bytes.withUnsafeMutableBytes { try socket.receive(into: $0) }
        return received.map { Array(bytes[..<$0.count]) }
    }
}

final class StreamTestClient: Sendable {
    private let stream: UnixStream

    init(_ endpoint: InternetEndpoint) throws {
        stream = try UnixStream(connectingTo: endpoint)
        guard isWritable(stream.raw, within: patience) else { throw TimeoutError(what: "a connection") }
    }

    /// Bytes as they are; what does not fit is an error.
    func send(_ bytes: [UInt8]) throws {
        guard try bytes.withUnsafeBytes({ try stream.send($0) }) == bytes.count else { throw TimeoutError(what: "room for \(bytes.count) bytes") }
    }

    func ask(_ message: [UInt8]) throws { try send(WireMessage.number(UInt16(message.count)) + message) }

    /// The next message; nil: the connection has ended.
    func receive() throws -> [UInt8]? {
        guard let length = try read(2) else { return nil }
        return try read(Int(length[0]) << 8 | Int(length[1]))
    }

    func endSending() { stream.endSending() }

    private func read(_ count: Int) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            try waitUntilReadable(stream.raw, "\(count) bytes")
            var part = [UInt8](repeating: 0, count: count - bytes.count)
            do {
                guard let got = try part.withUnsafeMutableBytes({ try stream.receive(into: $0) }) else { continue }
                guard got > 0 else { return nil }
                bytes += part[..<got]
            } catch let error as Errno where error == .connectionReset {
                return nil
            }
        }
        return bytes
    }
}
