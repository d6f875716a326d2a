import LinuxSystem
@testable import NameService
import TestSupport
import Testing

@Suite("Messages that mean harm")
struct MutationTests {
    private static let names = ["web", "db.svmm.internal", "2.0.89.10.in-addr.arpa", "www.example.org", "nobody", String(repeating: "a.", count: 120)]

    /// A question with some of its bytes changed, taken away or added.
    private static func mutated(_ random: inout SplitMix64) -> [UInt8] {
        var message = WireMessage.question(random.pick(names), type: random.pick([1, 28, 12, 255, 41, 6]), identifier: UInt16(random.below(65_536)),
                                           payload: random.below(2) == 0 ? nil : UInt16(random.below(65_536)))
        if random.below(3) == 0 { message = WireMessage.answer(to: message, addresses: [[1, 2, 3, 4], random.bytes(16)]) }
        for _ in 0..<random.below(6) where !message.isEmpty {
            let place = random.below(message.count)
            switch random.below(5) {
            case 0: message[place] = UInt8(random.below(256))
            case 1: message[place] ^= 1 << UInt8(random.below(8))
            case 2: message.removeLast(random.below(message.count + 1))
            case 3: message.insert(contentsOf: random.bytes(random.below(20)), at: place)
            default: message.replaceSubrange(place..., with: [0xC0, UInt8(random.below(message.count) & 0xFF)] + message[place...].dropFirst(2))
            }
        }
        return message
    }

    @Test("whatever comes is answered within bounds, forwarded as one question, or ignored", arguments: 0..<4)
    func questions(round: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("random questions \(round): seed \(seed)")
        var random = SplitMix64(seed: seed)
        var responder = Responder(domain: NameServerConfiguration.standardDomain, forwards: true)
        responder.table = NameTable(parsing: ResponderTests.file.utf8)
        var (answered, forwarded, ignored) = (0, 0, 0)
        for _ in 0..<10_000 {
            let message = random.below(50) == 0 ? random.bytes(random.below(100)) : Self.mutated(&random)
            switch responder.decide(message, random.below(2) == 0 ? .datagram : .stream) {
            case .ignore:
                ignored += 1
                if message.count >= 12, message[2] & 0x80 == 0 { Issue.record("seed \(seed): \(message)") }
            case .answer(let answer):
                answered += 1
                let isAnswer = answer.count >= 12 && answer[..<2] == message[..<2] && answer[2] & 0x80 != 0 && answer.count <= 1232
                if !isAnswer { Issue.record("seed \(seed): \(message)") }
            case .forward(let query):
                forwarded += 1
                let again = try Query(query.message)
                let isPart = message.starts(with: query.message) && again.question == query.question
                if !isPart { Issue.record("seed \(seed): \(message)") }
            }
        }
        // Each way was gone.
        #expect(answered > 0 && forwarded > 0 && ignored > 0)
    }

    @Test("only an answer to the question that was asked, under its number, is one", arguments: 0..<2)
    func answers(round: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("random answers \(round): seed \(seed)")
        var random = SplitMix64(seed: seed)
        let query = try Query(WireMessage.question("www.example.org", identifier: 0xABCD))
        var taken = 0
        for _ in 0..<10_000 {
            var message = WireMessage.answer(to: query.message, addresses: [[192, 0, 2, 1]])
            for _ in 0..<random.below(3) { message[random.below(message.count)] = UInt8(random.below(256)) }
            if random.below(4) == 0 { message.removeLast(random.below(message.count + 1)) }
            guard let answer = ResolverAnswer(message, identifier: 0xABCD, question: query.question) else { continue }
            taken += 1
            let isTrue = WireMessage.identifier(message) == 0xABCD && message[2] & 0xF8 == 0x80
                && WireMessage.asked(message).lowercased() == "www.example.org"
            if !isTrue || answer.message != message { Issue.record("seed \(seed): \(message)") }
        }
        #expect(taken > 0)
    }

    @Test("messages of a stream come out as they went in, however they were cut")
    func streams() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("random streams: seed \(seed)")
        var random = SplitMix64(seed: seed)
        let messages = (0..<200).map { _ in random.bytes(random.below(700)) }
        var bytes = messages.flatMap { WireMessage.number(UInt16($0.count)) + $0 }[...]
        var assembly = MessageAssembly()
        var found: [[UInt8]] = []
        while !bytes.isEmpty {
            let part = bytes.prefix(1 + random.below(1000))
            assembly.append(part)
            bytes = bytes.dropFirst(part.count)
            while let message = assembly.next() { found.append(message) }
        }
        #expect(found == messages, "seed \(seed)")
    }
}
