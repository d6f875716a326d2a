import NIOHTTP1
import OCI
@testable import Registry
import Testing

@Suite("Authentication at a registry, and who hears the password")
struct AuthorizationTests {
    private let image = SampleImage(layerSizes: [1000, 2000, 3000])
    private let alice = Credentials(user: "alice", password: "se:cret")
    private static let basic = "Basic YWxpY2U6c2U6Y3JldA=="

    /// A registry that wants a token of `realm`.
    private func registry(realm: @escaping @Sendable () -> String, isValid: @escaping @Sendable (String) -> Bool) async throws -> FaultServer {
        let image = image
        return try await FaultServer { request in
            if let header = request.authorization, isValid(header) { return image.reply(to: request) }
            return .error(.unauthorized, "UNAUTHORIZED", headers: [
                ("WWW-Authenticate", "Bearer realm=\"\(realm())\",service=\"a service\",scope=\"repository:team/app:pull\""),
            ])
        }
    }

    private func tokens(_ counter: Counter = Counter(), lifetime: Int = 300) async throws -> FaultServer {
        try await FaultServer { _ in Reply(body: Array(#"{"token":"token-\#(counter.next())","expires_in":\#(lifetime)}"#.utf8)) }
    }

    @Test("without a challenge no credentials are sent")
    func unasked() async throws {
        let image = image
        let server = try await FaultServer { image.reply(to: $0) }
        let place = try Workplace()
        _ = try await place.pull(server, "team/app:v1", place.options(server, credentials: alice))
        #expect(server.requests.allSatisfy { $0.authorization == nil })
    }

    @Test("Basic: the password goes to the registry when it asks, and wrong ones are refused")
    func basicAccess() async throws {
        let image = image
        let server = try await FaultServer { request in
            request.authorization == Self.basic ? image.reply(to: request)
                : .error(.unauthorized, "who are you?", headers: [("WWW-Authenticate", "Basic realm=\"x\"")])
        }
        let place = try Workplace()
        #expect(await thrown { try await place.pull(server) }
            == "\(server.host): authentication needed: who are you?; log in with: svmm registry login \(server.host)")
        let wrong = try place.options(server, credentials: Credentials(user: "alice", password: "x"))
        #expect(await thrown { try await place.pull(server, "team/app:v1", wrong) }
            == "\(server.host): access refused for user \"alice\": who are you?; log in with: svmm registry login \(server.host)")
        let before = server.requests.count
        #expect(try await place.pull(server, "team/app:v1", place.options(server, credentials: alice)).id == image.id)
        // The probe for TLS, and one request without the password.
        #expect(server.requests[before...].filter { $0.authorization == nil }.count == 2)
    }

    @Test("one token is fetched for a pull, without credentials where there are none", arguments: [false, true])
    func token(isKnown: Bool) async throws {
        let count = Counter()
        let realm = try await tokens(count)
        let place = try Workplace()
        let registry = try await registry(realm: { "http://\(realm.host)/token?x=y" }, isValid: { $0 == "Bearer token-0" })
        let options = try place.options(registry, credentials: isKnown ? alice : nil)
        #expect(try await place.pull(registry, "team/app:v1", options).id == image.id)
        #expect(count.count == 1)
        let request = try #require(realm.requests.first)
        #expect(request.authorization == (isKnown ? Self.basic : nil))
        #expect(request.uri == "/token?x=y" + (isKnown ? "&account=alice" : "") + "&service=a%20service&scope=repository%3Ateam%2Fapp%3Apull")
        #expect(registry.requests.allSatisfy { $0.authorization == nil || $0.authorization == "Bearer token-0" })
    }

    @Test("a token that has expired is replaced")
    func expired() async throws {
        let (count, uses) = (Counter(), Counter())
        let realm = try await tokens(count)
        let place = try Workplace()
        // Each token is good for two requests.
        let registry = try await registry(realm: { "http://\(realm.host)/token" }, isValid: { _ in uses.next() % 3 < 2 })
        var options = try place.options(registry)
        options.parallelTransfers = 1
        #expect(try await place.pull(registry, "team/app:v1", options).id == image.id)
        #expect(count.count == 3)
    }

    @Test("an identity token is exchanged for a token, and is no password")
    func identityToken() async throws {
        let realm = try await FaultServer { _ in Reply(body: Array(#"{"access_token":"t"}"#.utf8)) }
        let place = try Workplace()
        let registry = try await registry(realm: { "http://\(realm.host)/token" }, isValid: { $0 == "Bearer t" })
        let credentials = Credentials(user: "<token>", password: "", identityToken: "refresh/me")
        #expect(try await place.pull(registry, "team/app:v1", place.options(registry, credentials: credentials)).id == image.id)
        let request = try #require(realm.requests.first)
        #expect(request.method == .POST && request.authorization == nil)
        #expect(String(decoding: request.body, as: UTF8.self)
            == "grant_type=refresh_token&client_id=svmm&refresh_token=refresh%2Fme&service=a%20service&scope=repository%3Ateam%2Fapp%3Apull")
    }

    @Test("a realm that cannot be trusted hears nothing", arguments: [
        "http://HOST2/token", "ftp://HOST1/token", "/token", "", "http://alice:x@HOST1/token", "http://HOST1/token#part", "http://",
        "http+unix://%2Frun%2Fx/", "http://HOST1:99999/token", "http://HOST1/ x", "https://",
    ])
    func realms(text: String) async throws {
        // HOST1 is the registry's own address, HOST2 another name of this machine.
        let realm = try await tokens()
        let place = try Workplace()
        let url = text.replacing("HOST1", with: "127.0.0.1:\(realm.port)").replacing("HOST2", with: "localhost:\(realm.port)")
        let registry = try await registry(realm: { url }, isValid: { $0.hasPrefix("Bearer") })
        let error = await thrown { try await place.pull(registry, "team/app:v1", place.options(registry, credentials: alice)) }
        #expect(error.hasPrefix("\(registry.host): refusing to get a token from \"") || error.contains("Connection refused"), "\(error)")
        #expect(realm.requests.isEmpty)
        #expect(registry.requests.allSatisfy { $0.authorization == nil })
    }

    @Test("what a realm may be depends on the registry", arguments: [
        ("https://registry.example", "https://auth.example/token", true),
        ("https://registry.example", "http://registry.example/token", false),
        ("https://registry.example", "https://127.0.0.1/token", false),
        ("https://registry.example", "https://[::1]/token", false),
        ("https://registry.example", "https://169.254.169.254/token", false),
        ("https://registry.example", "https://localhost/token", false), ("https://registry.example", "https://127.1/token", false),
        ("https://registry.example", "https://2130706433/token", false), ("https://registry.example", "https://0x7f.1/token", false),
        ("https://registry.example", "https://0177.0.0.1/token", false), ("https://registry.example", "https://127.0.0.1./token", false),
        ("https://registry.example", "https://9.9.9.9/token", true), ("https://registry.example", "https://auth1.2example/token", true),
        ("https://127.0.0.1:5000", "https://127.0.0.1:5001/token", true),
        ("http://registry.example:5000", "http://registry.example:5001/token", true),
        ("http://registry.example:5000", "http://other.example/token", false),
        ("http://registry.example:5000", "https://other.example/token", true),
    ])
    func realmRules(registry: String, realm: String, isGood: Bool) throws {
        let parts = registry.split(separator: "/")
        let name = try RegistryName(String(parts[1]))
        let origin = name.origin(parts[0] == "https:" ? .https : .http)
        let challenge = AuthenticationChallenge(scheme: "bearer", parameters: ["realm": realm])
        let found = try? TokenRealm(challenge, from: origin, name: "x")
        #expect((found != nil) == isGood)
    }

    @Test("a token with characters of its own is refused", arguments: [
        #"{"token":"a\r\nX: y"}"#, #"{"token":"a b"}"#, #"{"token":""}"#, "{}", "[]", "no JSON", #"{"token":3}"#,
    ])
    func badTokens(answer: String) async throws {
        let realm = try await FaultServer { _ in Reply(body: Array(answer.utf8)) }
        let registry = try await registry(realm: { "http://\(realm.host)/token" }, isValid: { _ in true })
        let error = await thrown { try await Workplace().pull(registry) }
        #expect(error.hasPrefix("http://\(realm.host): "), "\(error)")
        #expect(registry.requests.allSatisfy { $0.authorization == nil })
    }

    @Test("a realm that sends elsewhere, never ends or says no is an error", arguments: ["redirect", "endless", "no"])
    func badRealms(kind: String) async throws {
        let elsewhere = try await tokens()
        let target = elsewhere.host
        let realm = try await FaultServer { _ in
            switch kind {
            case "redirect": Reply(status: .temporaryRedirect, headers: [("Location", "http://\(target)/token")])
            case "endless": Reply(body: [UInt8](repeating: 0x20, count: 1 << 16), ending: .endless, sendsLength: false)
            default: .error(.unauthorized, "DENIED")
            }
        }
        let place = try Workplace()
        let registry = try await registry(realm: { "http://\(realm.host)/token" }, isValid: { _ in true })
        let error = await thrown { try await place.pull(registry, "team/app:v1", place.options(registry, credentials: alice)) }
        switch kind {
        case "redirect": #expect(error == "http://\(realm.host): the registry answers 307: temporary redirect")
        case "endless": #expect(error == "http://\(realm.host): the answer has more than 1048576 bytes")
        default: #expect(error.hasPrefix("\(registry.host): access refused for user \"alice\": DENIED"))
        }
        #expect(elsewhere.requests.isEmpty)
    }

    @Test("a registry that does not like its own token says so once")
    func unlikedToken() async throws {
        let count = Counter()
        let realm = try await tokens(count)
        let registry = try await registry(realm: { "http://\(realm.host)/token" }, isValid: { _ in false })
        let error = await thrown { try await Workplace().pull(registry) }
        #expect(error == "\(registry.host): authentication needed: UNAUTHORIZED; log in with: svmm registry login \(registry.host)")
        #expect(count.count == 1)
    }

    @Test("an authentication that nobody here knows is an error", arguments: ["Negotiate", "Digest realm=\"x\", nonce=\"y\"", ""])
    func unknownScheme(header: String) async throws {
        let registry = try await FaultServer { _ in .error(.unauthorized, headers: [("WWW-Authenticate", header)]) }
        #expect(await thrown { try await Workplace().pull(registry) }.contains("neither Basic nor Bearer"))
    }
}
