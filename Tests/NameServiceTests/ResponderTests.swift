import LinuxSystem
@testable import NameService
import Testing

@Suite("Answers for names of a network")
struct ResponderTests {
    static let file = "web 10.89.0.2,fd00::2\ndb 10.89.0.3\n# no line\nv6 fd00::9\nmany 10.1.0.1,10.1.0.2\nMany 10.1.0.3\nmy.app 10.89.0.7\nx\n"

    private func responder(forwards: Bool = true) -> Responder {
        var responder = Responder(domain: NameServerConfiguration.standardDomain, forwards: forwards)
        responder.table = NameTable(parsing: Self.file.utf8)
        return responder
    }

    /// nil: it is forwarded, or ignored.
    private func answer(_ message: [UInt8], _ transport: Responder.Transport = .datagram, forwards: Bool = true) -> [UInt8]? {
        guard case .answer(let answer) = responder(forwards: forwards).decide(message, transport) else { return nil }
        return answer
    }

    private func bytes(_ text: String) -> [UInt8] { InternetAddress(text)?.bytes ?? [] }

    @Test("names have their addresses, with the domain and without, in any case", arguments: [
        ("web", 1, "10.89.0.2"), ("WEB", 1, "10.89.0.2"), ("web.svmm.internal", 1, "10.89.0.2"), ("wEb.sVmm.Internal", 28, "fd00::2"), ("v6", 28, "fd00::9"),
        ("my.app", 1, "10.89.0.7"), ("my.app.svmm.internal", 1, "10.89.0.7"),
    ] as [(String, UInt16, String)])
    func addresses(name: String, type: UInt16, address: String) throws {
        let found = try #require(answer(WireMessage.question(name, type: type)))
        // The question as it was spelled.
        #expect(found == WireMessage.answer(to: WireMessage.question(name, type: type), addresses: [bytes(address)], isAuthoritative: true).withTimeToLive(5))
    }

    @Test("a name that has no such record is no unknown name", arguments: [("v6", 1), ("db", 28), ("db", 15), ("svmm.internal", 1), ("web", 2)] as [(String, UInt16)])
    func noData(name: String, type: UInt16) throws {
        let found = try #require(answer(WireMessage.question(name, type: type)))
        #expect(ReadAnswer(found) == ReadAnswer(isAuthoritative: true))
    }

    @Test("unknown names of the network do not exist", arguments: ["nobody", "nobody.svmm.internal", "x", "localhost"])
    func unknown(name: String) throws {
        let found = try #require(answer(WireMessage.question(name)))
        #expect(ReadAnswer(found) == ReadAnswer(code: 3, isAuthoritative: true))
    }

    @Test("addresses have names", arguments: [("2.0.89.10.in-addr.arpa", "web.svmm.internal")])
    func reverse(name: String, expected: String) throws {
        let found = try #require(answer(WireMessage.question(name, type: 12)))
        #expect(ReadAnswer(found) == ReadAnswer(isAuthoritative: true, records: [WireMessage.name(expected)]))
        #expect(ReadAnswer(try #require(answer(WireMessage.question(name, type: 16)))) == ReadAnswer(isAuthoritative: true))
    }

    @Test("several addresses begin with another one from question to question")
    func rotation() throws {
        let all = ["10.1.0.1", "10.1.0.2", "10.1.0.3"].map(bytes)
        for identifier: UInt16 in [0, 1, 2, 0xFFFF] {
            let found = ReadAnswer(try #require(answer(WireMessage.question("many", identifier: identifier))))
            let start = Int(identifier) % 3
            #expect(found.records == Array(all[start...] + all[..<start]))
        }
    }

    @Test("what is somebody else's is forwarded, or does not exist where nobody is asked", arguments: [
        ("example.org", 1), ("9.0.89.10.in-addr.arpa", 12), ("com", 43), ("", 2), ("web.example.org", 28),
    ] as [(String, UInt16)])
    func forwarded(name: String, type: UInt16) throws {
        let message = WireMessage.question(name, type: type, payload: 1400)
        guard case .forward(let query) = responder().decide(message, .datagram) else { throw Failure() }
        #expect(query.message == message)
        #expect(query.datagramLimit == 1400)
        #expect(ReadAnswer(try #require(answer(message, forwards: false))) == ReadAnswer(code: 3))
    }

    @Test("bytes behind a question are not forwarded")
    func trailing() throws {
        guard case .forward(let query) = responder().decide(WireMessage.question("example.org") + [1, 2, 3], .datagram) else { throw Failure() }
        #expect(query.message == WireMessage.question("example.org"))
    }

    @Test("what is no question gets an error, or nothing where it might be an answer")
    func malformed() {
        var message = WireMessage.question("web")
        #expect(answer(Array(message.dropLast())) == [0x12, 0x34, 0x81, 0x01, 0, 0, 0, 0, 0, 0, 0, 0])
        message[5] = 2
        #expect(answer(message)?[3] == 1)
        message[5] = 1
        message[2] = 0x28  // an update
        #expect(answer(message)?[3] == 4)
        message[2] = 0x81
        #expect(answer(message) == nil)
        #expect(answer(Array(message[..<11])) == nil)
        #expect(answer([]) == nil)
    }

    @Test("zones, other classes and unknown versions of extensions are refused")
    func refused() {
        #expect(answer(WireMessage.question("example.org", type: 252)).map(ReadAnswer.init) == ReadAnswer(code: 5))
        #expect(answer(WireMessage.question("web", type: 251)).map(ReadAnswer.init) == ReadAnswer(code: 5))
        var chaos = WireMessage.question("version.bind", type: 16)
        chaos[chaos.count - 1] = 3
        #expect(answer(chaos).map(ReadAnswer.init) == ReadAnswer(code: 5))
        var versionOne = WireMessage.question("web", payload: 1232)
        versionOne[versionOne.count - 5] = 1
        // BADVERS is 16: the upper bits are in the OPT record.
        #expect(answer(versionOne)?.suffix(11) == [0, 0, 41, 0x04, 0xD0, 1, 0, 0, 0, 0, 0])
    }

    @Test("two OPT records are one too many")
    func twoExtensions() {
        var message = WireMessage.question("web", payload: 1232) + [0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0]
        message[11] = 2
        #expect(answer(message)?[3] == 1)
    }

    @Test("a datagram's answer has as many addresses as fit, and says so; a stream's has all", arguments: [(nil, 512), (4096, 1232)] as [(UInt16?, Int)])
    func truncation(payload: UInt16?, limit: Int) throws {
        var responder = responder()
        responder.table = NameTable(parsing: "big \((1...64).map { "fd00::\($0)" }.joined(separator: ","))\n".utf8)
        let message = WireMessage.question("big", type: 28, payload: payload)
        guard case .answer(let found) = responder.decide(message, .datagram), case .answer(let all) = responder.decide(message, .stream) else {
            throw Failure()
        }
        #expect(found.count <= limit && found.count > limit - 28)
        #expect(ReadAnswer(found).isTruncated)
        #expect(ReadAnswer(all).records.count == 64 && !ReadAnswer(all).isTruncated)
    }

    private struct Failure: Error {}
}

extension [UInt8] {
    /// Of an answer with one record.
    func withTimeToLive(_ seconds: UInt8) -> [UInt8] {
        var copy = self
        copy[WireMessage.questionEnd(self) + 9] = seconds
        return copy
    }
}
