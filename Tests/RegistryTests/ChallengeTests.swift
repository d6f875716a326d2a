@testable import Registry
import Testing

@Suite("Authentication challenges")
struct ChallengeTests {
    @Test("a challenge has a scheme and parameters", arguments: [
        ("Basic realm=\"a registry\"", [AuthenticationChallenge(scheme: "basic", parameters: ["realm": "a registry"])]),
        ("Bearer realm=\"https://a/t\",service=\"a\",scope=\"repository:x:pull\"",
         [AuthenticationChallenge(scheme: "bearer", parameters: ["realm": "https://a/t", "service": "a", "scope": "repository:x:pull"])]),
        ("BEARER Realm = https://a/t , Service=a", [AuthenticationChallenge(scheme: "bearer", parameters: ["realm": "https://a/t", "service": "a"])]),
        ("Negotiate, Basic realm=\"x\"",
         [AuthenticationChallenge(scheme: "negotiate"), AuthenticationChallenge(scheme: "basic", parameters: ["realm": "x"])]),
        ("Basic realm=\"with \\\"quotes\\\", and a comma\", Bearer realm=\"r\"",
         [AuthenticationChallenge(scheme: "basic", parameters: ["realm": "with \"quotes\", and a comma"]),
          AuthenticationChallenge(scheme: "bearer", parameters: ["realm": "r"])]),
    ])
    func parsed(header: String, challenges: [AuthenticationChallenge]) {
        #expect(AuthenticationChallenge.parse([header]) == challenges)
    }

    @Test("several headers are several challenges")
    func headers() {
        #expect(AuthenticationChallenge.parse(["Basic realm=a", "Bearer realm=b"]).map(\.scheme) == ["basic", "bearer"])
    }

    @Test("a malformed header is read up to its fault", arguments: [
        "", ",", "=", "=x", "\"", "realm=\"x\"", "Basic realm=", "Basic realm=\"open", "Basic realm=\"open\\", "Basic realm=\"a\" b=c",
        "Basic realm=\"a\"\"b\"", "\u{1}", "Basic {", "Negotiate YII=", String(repeating: "Basic ", count: 5000),
    ])
    func malformed(header: String) {
        for challenge in AuthenticationChallenge.parse([header]) { #expect(!challenge.scheme.isEmpty) }
    }

    @Test("any bytes are read without harm")
    func fuzz() {
        var random = SystemRandomNumberGenerator()
        let seed = random.next()
        var generator = SplitMix(seed: seed)
        let alphabet = Array("Basic Bearer realm=\"\\,; \t=~a/:é\u{0}")
        for _ in 0..<20_000 {
            let text = String((0..<Int.random(in: 0...60, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? " " })
            let found = AuthenticationChallenge.parse([text])
            #expect(found.count <= text.count, "seed \(seed): \(text.debugDescription)")
        }
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
