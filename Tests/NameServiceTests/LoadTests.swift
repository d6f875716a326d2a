import LinuxSystem
@testable import NameService
import Synchronization
import TestSupport
import Testing

@Suite("Clients that ask too much")
struct LoadTests {
    /// Names that are silent have no answer, the others have.
    private func resolvers() throws -> FakeResolvers {
        try FakeResolvers([2]) { request in
            guard !WireMessage.asked(request.message).hasPrefix("silent") else { return }
            request.reply(WireMessage.answer(to: request.message, addresses: [[192, 0, 2, 1]]))
        }
    }

    /// A client's socket, at an address of its own.
    private func client(_ address: String, _ server: ServerHarness) throws -> BoundClient { try BoundClient(address, server.endpoint) }

    @Test("have so many questions at resolvers and no more, and others are served")
    func perClient() throws {
        let resolvers = try resolvers()
        let server = try ServerHarness(names: "a 127.0.0.21\nb 127.0.0.22\n", resolvers: resolvers.addresses, resolverPort: resolvers.port) {
            $0.limits.queriesPerClient = 5
            // Nothing is given up before the test has ended.
            $0.times.resolver = 600_000_000_000
        }
        let (hostile, good) = (try client("127.0.0.21", server), try client("127.0.0.22", server))
        for number: UInt16 in 0..<50 { try hostile.ask(WireMessage.question("silent\(number).example.org", identifier: number)) }
        // 45 are told so.
        for number: UInt16 in 5..<50 {
            let answer = try hostile.receive()
            #expect(WireMessage.identifier(answer) == number && ReadAnswer(answer).code == 2)
        }
        try good.ask(WireMessage.question("www.example.org"))
        #expect(ReadAnswer(try good.receive()).records == [[192, 0, 2, 1]])
        // It may still ask for names of its network.
        try hostile.ask(WireMessage.question("b"))
        #expect(ReadAnswer(try hostile.receive()).records == [[127, 0, 0, 22]])
        #expect(resolvers.requests.count == 6)
    }

    @Test("and have no name count as one, whatever addresses they use")
    func unnamed() throws {
        let resolvers = try resolvers()
        let server = try ServerHarness(resolvers: resolvers.addresses, resolverPort: resolvers.port) {
            $0.limits.queriesPerClient = 5
            $0.times.resolver = 600_000_000_000
        }
        for number: UInt16 in 0..<20 {
            let client = try client("127.0.1.\(number + 1)", server)
            try client.ask(WireMessage.question("silent.example.org", identifier: number))
            if number >= 5 { #expect(ReadAnswer(try client.receive()).code == 2) }
        }
    }

    @Test("give way to others when all places are taken: the oldest question of the one with the most")
    func full() throws {
        let resolvers = try resolvers()
        let server = try ServerHarness(names: "a 127.0.0.21\nb 127.0.0.22\nc 127.0.0.23", resolvers: resolvers.addresses,
                                       resolverPort: resolvers.port) {
            $0.limits.queries = 8
            $0.times.resolver = 600_000_000_000
        }
        let (hostile, slow, good) = (try client("127.0.0.21", server), try client("127.0.0.22", server), try client("127.0.0.23", server))
        try slow.ask(WireMessage.question("silent.example.org"))
        for number: UInt16 in 0..<7 { try hostile.ask(WireMessage.question("silent\(number).example.org", identifier: number)) }
        for number: UInt16 in 0..<5 {
            try good.ask(WireMessage.question("www\(number).example.org"))
            #expect(ReadAnswer(try good.receive()).records == [[192, 0, 2, 1]])
            // Only the first of the answered ones finds no place that has become free.
            guard number == 0 else { continue }
            let answer = try hostile.receive()
            #expect(WireMessage.identifier(answer) == 0 && ReadAnswer(answer).code == 2)
        }
        #expect(try slow.receiveWaiting() == nil)
    }

    @Test("by the thousand leave room for others")
    func flood() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("flood: seed \(seed)")
        var random = SplitMix64(seed: seed)
        let resolvers = try resolvers()
        let server = try ServerHarness(resolvers: resolvers.addresses, resolverPort: resolvers.port) {
            $0.limits.queries = 20
            $0.times.resolver = 5_000_000
        }
        let client = try DatagramClient(server.endpoint)
        for number in 0..<5000 {
            let message = switch random.below(3) {
            case 0: random.bytes(random.below(200))
            case 1: WireMessage.question("silent\(number).example.org")
            default: WireMessage.question("nobody\(number)")
            }
            // A socket that is full loses what does not fit.
            try? client.send(message)
            if number % 50 == 0 { while try client.receiveWaiting() != nil {} }
        }
        // What is in their way is gone through.
        let last = try DatagramClient(server.endpoint)
        for (name, records) in [("web", [[10, 89, 0, 2]]), ("www.example.org", [[192, 0, 2, 1]])] as [(String, [[UInt8]])] {
            var found: [[UInt8]] = []
            while found != records {
                try last.send(WireMessage.question(name))
                if waitForInput(last.raw, or: last.raw, within: 1000) != nil { found = ReadAnswer(try last.receive()).records }
            }
        }
    }

    @Test("connections are bounded, of one client and in all, and the one that is idle the longest gives way")
    func connections() throws {
        let server = try ServerHarness { $0.limits.connectionsPerClient = 3 }
        let open = try (0..<3).map { _ in try StreamTestClient(server.endpoint) }
        for client in open {
            try client.ask(WireMessage.question("web"))
            #expect(try client.receive() != nil)
        }
        // One too many is closed without a word.
        #expect(try StreamTestClient(server.endpoint).receive() == nil)
        try open[0].ask(WireMessage.question("web"))
        #expect(try open[0].receive() != nil)

        let small = try ServerHarness { $0.limits.connections = 2 }
        let (first, second) = (try StreamTestClient(small.endpoint), try StreamTestClient(small.endpoint))
        for client in [first, second, first] {
            try client.ask(WireMessage.question("web"))
            #expect(try client.receive() != nil)
        }
        let third = try StreamTestClient(small.endpoint)
        try third.ask(WireMessage.question("web"))
        #expect(try third.receive() != nil)
        #expect(try second.receive() == nil)
        try first.ask(WireMessage.question("web"))
        #expect(try first.receive() != nil)
    }

    @Test("connections on which nothing happens end, and so do those with messages that are none")
    func idle() throws {
        let server = try ServerHarness { $0.times.idle = 20_000_000 }
        #expect(try StreamTestClient(server.endpoint).receive() == nil)
        let half = try StreamTestClient(server.endpoint)
        try half.send([0, 20, 1, 2])
        #expect(try half.receive() == nil)
        let patient = try ServerHarness()
        let long = try StreamTestClient(patient.endpoint)
        try long.send([0xFF, 0xFF, 1, 2])
        #expect(try long.receive() == nil)
    }

    @Test("many questions on one connection are answered, each, and then its end is seen")
    func pipelined() throws {
        let resolvers = try resolvers()
        let server = try ServerHarness(resolvers: resolvers.addresses, resolverPort: resolvers.port)
        let client = try StreamTestClient(server.endpoint)
        for number: UInt16 in 0..<40 { try client.ask(WireMessage.question(number % 2 == 0 ? "web" : "www.example.org", identifier: number)) }
        client.endSending()
        var found: Set<UInt16> = []
        while let answer = try client.receive() { found.insert(WireMessage.identifier(answer)) }
        #expect(found == Set(0..<40))
    }
}

/// A client at an address of its own.
private final class BoundClient: Sendable {
    private let socket: DatagramSocket
    private let server: InternetEndpoint

    init(_ address: String, _ server: InternetEndpoint) throws {
        guard let address = InternetAddress(address) else { throw Errno.invalidArgument }
        socket = try DatagramSocket(boundTo: InternetEndpoint(address, port: 0))
        self.server = server
    }

    func ask(_ message: [UInt8]) throws {
        try message.withUnsafeBytes { try socket.send($0, to: server) }
    }

    func receive() throws -> [UInt8] {
        try waitUntilReadable(socket.raw, "an answer")
        return try receiveWaiting() ?? []
    }

    func receiveWaiting() throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let received = try bytes.withUnsafeMutableBytes { try socket.receive(into: $0) }
        return received.map { Array(bytes[..<$0.count]) }
    }
}
