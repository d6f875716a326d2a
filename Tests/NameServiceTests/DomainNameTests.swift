import LinuxSystem
@testable import NameService
import Testing

@Suite("Domain names")
struct DomainNameTests {
    @Test("differ by more than case, and may end in a dot")
    func equality() {
        #expect(DomainName("Web.Example.ORG") == DomainName("web.example.org."))
        #expect(DomainName("web") != DomainName("web.example"))
        // Only letters of ASCII have a case: RFC 4343.
        #expect(DomainName("[x") != DomainName("{x"))
    }

    @Test("have labels and a length within the bounds of RFC 1035", arguments: [
        (String(repeating: "a", count: 63), true), (String(repeating: "a", count: 64), false), ("a..b", false), ("", false), (".a", false),
        (Array(repeating: "abc", count: 63).joined(separator: "."), true), (Array(repeating: "abc", count: 64).joined(separator: "."), false),
    ])
    func bounds(text: String, isName: Bool) {
        #expect((DomainName(text) != nil) == isName)
    }

    @Test("are below a domain, that domain, or neither", arguments: [
        ("web.svmm.internal", "web"), ("a.b.svmm.internal", "a.b"), ("svmm.internal", "."), ("websvmm.internal", nil), ("internal", nil),
        ("web.svmm.internal.org", nil), ("x4svmm.internal", nil),
    ])
    func relative(text: String, expected: String?) throws {
        let found = try #require(DomainName(text)).relative(to: NameServerConfiguration.standardDomain)
        if expected == "." {
            #expect(found?.labelCount == 0)
        } else {
            #expect(found == expected.flatMap { DomainName($0) })
        }
    }

    @Test("stand for addresses", arguments: [
        ("2.0.89.10.in-addr.arpa", "10.89.0.2"), ("2.0.89.10.IN-ADDR.ARPA", "10.89.0.2"), ("256.0.89.10.in-addr.arpa", nil),
        ("0.89.10.in-addr.arpa", nil), ("2.0.89.10.in-addr.org", nil), ("9999999999999999999.0.89.10.in-addr.arpa", nil), ("a.b.c.d.in-addr.arpa", nil),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.A.d.f.ip6.arpa", "fda0::1"),
        ("g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.A.d.f.ip6.arpa", nil),
        ("10.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.A.d.f.ip6.arpa", nil),
    ])
    func reverse(text: String, expected: String?) throws {
        #expect(try #require(DomainName(text)).reverseAddress == expected.flatMap { InternetAddress($0) })
    }

    @Test("are read from messages, compressed or not")
    func compressed() throws {
        let header = [UInt8](repeating: 0, count: 12)
        // example.org at 12, www at 25 with a pointer to it, and a pointer to that at 31.
        let bytes = header + [7] + Array("example".utf8) + [3] + Array("org".utf8) + [0] + [3] + Array("wWw".utf8) + [0xC0, 12, 0xC0, 25, 9]
        var reader = MessageReader(bytes, at: 31)
        #expect(try reader.name() == DomainName("www.example.org"))
        #expect(reader.place == 33)
        reader = MessageReader(bytes, at: 25)
        #expect(try reader.name() == DomainName("www.example.org"))
        #expect(reader.place == 31)
    }

    @Test("that point at themselves, forwards, into the header, or end too soon are refused", arguments: [
        [0xC0, 12], [0xC0, 14, 0xC0, 12], [1, 0x61, 0xC0, 12], [0xC0, 0], [0xC0, 11], [0xC0], [0xFF, 0xFF], [3, 0x61], [1, 0x61], [0x40, 0], [0x80, 0], [],
    ] as [[UInt8]])
    func loops(bytes: [UInt8]) {
        var reader = MessageReader([UInt8](repeating: 0, count: 12) + bytes, at: 12)
        #expect(throws: MalformedMessage.self) { try reader.name() }
    }

    @Test("that grow by pointers past 255 bytes are refused")
    func growth() {
        // Each pointer leads to a label and the pointer before it.
        var bytes = [UInt8](repeating: 0, count: 12) + [0]
        var last = 12
        for _ in 0..<5 {
            let place = bytes.count
            bytes += [60] + [UInt8](repeating: 0x61, count: 60) + [0xC0 | UInt8(last >> 8), UInt8(last & 0xFF)]
            last = place
        }
        var reader = MessageReader(bytes, at: last)
        #expect(throws: MalformedMessage.self) { try reader.name() }
    }
}
