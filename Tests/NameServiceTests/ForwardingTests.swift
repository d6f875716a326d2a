import LinuxSystem
@testable import NameService
import TestSupport
import Testing

@Suite("Questions to the host's resolvers")
struct ForwardingTests {
    private static let address: [UInt8] = [192, 0, 2, 1]

    private func harness(_ resolvers: FakeResolvers, _ change: (inout NameServerConfiguration) -> Void = { _ in }) throws -> ServerHarness {
        try ServerHarness(resolvers: resolvers.addresses, resolverPort: resolvers.port, change)
    }

    @Test("are asked as they came, under another number and from another port each, and so is the answer given")
    func forward() throws {
        let resolvers = try FakeResolvers([2]) { $0.reply(WireMessage.answer(to: $0.message, addresses: [Self.address])) }
        let server = try harness(resolvers)
        let question = WireMessage.question("wWw.Example.org", identifier: 0x0102, payload: 1400)
        for _ in 0..<16 {
            let answer = try server.ask(question)
            #expect(answer == WireMessage.answer(to: question, addresses: [Self.address]))
        }
        let seen = resolvers.requests
        #expect(seen.count == 16 && seen.allSatisfy { $0.message[2...] == question[2...] && !$0.isStream })
        // By chance two may be alike.
        #expect(Set(seen.map { WireMessage.identifier($0.message) }).count > 12 && Set(seen.map(\.port)).count > 12)
    }

    @Test("of this network do not get there")
    func own() throws {
        let resolvers = try FakeResolvers([2]) { $0.reply(WireMessage.answer(to: $0.message, addresses: [Self.address])) }
        let server = try harness(resolvers)
        #expect(ReadAnswer(try server.ask(WireMessage.question("web"))).records == [[10, 89, 0, 2]])
        #expect(ReadAnswer(try server.ask(WireMessage.question("nobody"))).code == 3)
        #expect(ReadAnswer(try server.ask(WireMessage.question("nobody.svmm.internal"))).code == 3)
        #expect(resolvers.requests.isEmpty)
    }

    @Test("go nowhere from a network that is closed")
    func closed() throws {
        let resolvers = try FakeResolvers([2]) { $0.reply(WireMessage.answer(to: $0.message, addresses: [Self.address])) }
        let server = try harness(resolvers) { $0.forwards = false }
        #expect(ReadAnswer(try server.ask(WireMessage.question("www.example.org"))).code == 3)
        #expect(resolvers.requests.isEmpty)
    }

    @Test("go to the second resolver when the first is silent, and to that one first afterwards")
    func silent() throws {
        let resolvers = try FakeResolvers([2, 3]) { request in
            if request.resolver == 3 { request.reply(WireMessage.answer(to: request.message, addresses: [Self.address])) }
        }
        let server = try harness(resolvers) { $0.times.resolver = 250_000_000 }
        for name in ["first.example.org", "second.example.org"] {
            #expect(ReadAnswer(try server.ask(WireMessage.question(name))).records == [Self.address])
        }
        #expect(resolvers.requests(for: "first.example.org").first?.resolver == 2)
        #expect(resolvers.requests(for: "second.example.org").first?.resolver == 3)
    }

    @Test("go to the second resolver when the first fails, refuses, or is not there", arguments: [2, 4, 5, nil] as [UInt8?])
    func failing(code: UInt8?) throws {
        let resolvers = try FakeResolvers(code == nil ? [3] : [2, 3]) { request in
            let isGood = request.resolver == 3
            request.reply(WireMessage.answer(to: request.message, addresses: isGood ? [Self.address] : [], code: isGood ? 0 : code ?? 0))
        }
        let server = try ServerHarness(resolvers: ["127.0.0.2", "127.0.0.3"], resolverPort: resolvers.port)
        #expect(ReadAnswer(try server.ask(WireMessage.question("www.example.org"))).records == [Self.address])
        #expect(ReadAnswer(try server.ask(WireMessage.question("www.example.org"))).records == [Self.address])
    }

    @Test("that no resolver answers fail; so do those that each refuses, as they refused")
    func none() throws {
        let silent = try FakeResolvers([2, 3]) { _ in }
        let server = try harness(silent) { $0.times.resolver = 5_000_000 }
        let question = WireMessage.question("www.example.org", payload: 512)
        #expect(ReadAnswer(try server.ask(question)).code == 2)
        // Two rounds.
        try silent.waitForRequests(4)
        #expect(silent.requests.map(\.resolver).sorted() == [2, 2, 3, 3])
        let refusing = try FakeResolvers([2, 3]) { $0.reply(WireMessage.answer(to: $0.message, code: 5)) }
        let second = try harness(refusing)
        #expect(ReadAnswer(try second.ask(question)).code == 5)
        #expect(refusing.requests.map(\.resolver) == [2, 3])
        let alone = try ServerHarness(resolvers: ["127.0.0.1"])
        #expect(ReadAnswer(try alone.ask(question)).code == 2)
    }

    @Test("are answered by the one who was asked: other numbers, questions and sources are nobody's")
    func spoofed() throws {
        let forged: [UInt8] = [6, 6, 6, 6]
        let elsewhere = try FakeResolvers([9]) { _ in }
        let port = elsewhere.port
        let resolvers = try FakeResolvers([2]) { request in
            var number = WireMessage.answer(to: request.message, addresses: [forged])
            number[0] ^= 1
            request.reply(number)
            let other = WireMessage.question("www.example.net", identifier: WireMessage.identifier(request.message))
            request.reply(WireMessage.answer(to: other, addresses: [forged]))
            // The question itself, and cut short.
            request.reply(request.message)
            request.reply(Array(WireMessage.answer(to: request.message, addresses: [forged]).prefix(20)))
            // From another address, and from another port of the right one.
            for (address, port) in [("127.0.0.8", port), ("127.0.0.2", port &+ 1)] {
                guard let address = InternetAddress(address),
                      let socket = try? DatagramSocket(boundTo: InternetEndpoint(address, port: port)) else { continue }
                let answer = WireMessage.answer(to: request.message, addresses: [forged])
                try? answer.withUnsafeBytes { try socket.send($0, to: request.source) }
            }
            request.reply(WireMessage.answer(to: request.message, addresses: [Self.address]))
        }
        let server = try harness(resolvers)
        for _ in 0..<20 {
            let client = try DatagramClient(server.endpoint)
            try client.send(WireMessage.question("www.example.org"))
            #expect(ReadAnswer(try client.receive()).records == [Self.address])
            #expect(try client.receiveWaiting() == nil)
        }
        #expect(resolvers.requests.count == 20)
    }

    @Test("whose answer was cut are asked by TCP, where the client would take more")
    func cut() throws {
        let many = (1...40).map { [192, 0, 2, UInt8($0)] as [UInt8] }
        let resolvers = try FakeResolvers([2]) { request in
            let isCut = !request.isStream
            request.reply(WireMessage.answer(to: request.message, addresses: isCut ? [many[0]] : many, isTruncated: isCut))
        }
        let server = try harness(resolvers)
        // 40 addresses have 673 bytes.
        #expect(ReadAnswer(try server.ask(WireMessage.question("big.example.org", payload: 1232))) == ReadAnswer(records: many))
        #expect(resolvers.requests.map(\.isStream) == [false, true])
        #expect(ReadAnswer(try server.ask(WireMessage.question("big.example.org", payload: 600))) == ReadAnswer(isTruncated: true, records: [many[0]]))
        #expect(ReadAnswer(try server.ask(WireMessage.question("big.example.org"))) == ReadAnswer(isTruncated: true, records: [many[0]]))
        #expect(resolvers.requests.map(\.isStream) == [false, true, false, true, false])
    }

    @Test("that came by TCP are asked by TCP, and get answers of up to 64 KiB")
    func streams() throws {
        let many = (0..<4000).map { [10, 0, UInt8($0 >> 8), UInt8($0 & 0xFF)] as [UInt8] }
        let resolvers = try FakeResolvers([2]) { $0.reply(WireMessage.answer(to: $0.message, addresses: many)) }
        let server = try harness(resolvers)
        let client = try StreamTestClient(server.endpoint)
        for _ in 0..<3 {
            try client.ask(WireMessage.question("big.example.org"))
            #expect(try client.receive().map(ReadAnswer.init)?.records.count == 4000)
        }
        #expect(resolvers.requests.allSatisfy { $0.isStream })
    }

    @Test("a datagram that is longer than the client takes becomes one that says so")
    func tooLong() throws {
        let many = (1...40).map { [192, 0, 2, UInt8($0)] as [UInt8] }
        let resolvers = try FakeResolvers([2]) { $0.reply(WireMessage.answer(to: $0.message, addresses: many)) }
        let server = try harness(resolvers)
        #expect(ReadAnswer(try server.ask(WireMessage.question("big.example.org"))) == ReadAnswer(isTruncated: true))
    }

    @Test("go to other resolvers when resolv.conf has changed")
    func changes() throws {
        let resolvers = try FakeResolvers([2, 3]) { $0.reply(WireMessage.answer(to: $0.message, addresses: [[192, 0, 2, $0.resolver]])) }
        let server = try ServerHarness(resolvers: ["127.0.0.2"], resolverPort: resolvers.port)
        #expect(ReadAnswer(try server.ask(WireMessage.question("www.example.org"))).records == [[192, 0, 2, 2]])
        try server.setResolvers(["127.0.0.3"])
        #expect(ReadAnswer(try server.ask(WireMessage.question("www.example.org"))).records == [[192, 0, 2, 3]])
    }
}
