@testable import Registry
import Testing

@Suite("Names of registries")
struct NameTests {
    @Test("a registry has one name", arguments: [
        ("docker.io", "docker.io", "https://registry-1.docker.io"), ("index.docker.io", "docker.io", "https://registry-1.docker.io"),
        ("https://registry-1.docker.io/", "docker.io", "https://registry-1.docker.io"), ("Quay.IO", "quay.io", "https://quay.io"),
        ("localhost:5000", "localhost:5000", "https://localhost:5000"), ("a:443", "a:443", "https://a"),
        ("[::1]:5000", "[::1]:5000", "https://[::1]:5000"), ("http://my_host/", "my_host", "https://my_host"),
    ])
    func good(text: String, name: String, origin: String) throws {
        let found = try RegistryName(text)
        #expect(found.description == name)
        #expect(found.origin(.https).description == origin)
        #expect(try RegistryName(found.description) == found)
    }

    @Test("what is no registry is refused", arguments: [
        "", "/", "a b", "a/b", "a:", "a:0", "a:65536", "a:-1", "a:x", "-a", "a-", "a..b", ".a", "[::1", "[1]", "a@b", "a?b", "é.example",
        "a\n", "a\u{0}", String(repeating: "a", count: 64), "ftp://a", "user:password@a",
    ])
    func bad(text: String) {
        #expect(throws: RegistryError.self) { try RegistryName(text) }
    }

    @Test("a key of an authentication file is a registry or a namespace of one")
    func keys() throws {
        #expect(try AuthenticationKey("https://quay.io/").description == "quay.io")
        #expect(try AuthenticationKey("quay.io/team/app").namespace == "team/app")
        for text in ["quay.io/Team", "quay.io//x", "/x", "quay.io/x y"] {
            #expect(throws: RegistryError.self) { try AuthenticationKey(text) }
        }
    }

    @Test("an origin is scheme, host and port")
    func origins() throws {
        let registry = try RegistryName("example.com").origin(.https)
        #expect(registry == Origin(scheme: .https, host: "example.com", port: 443))
        #expect(!registry.isLocal)
        for name in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "169.254.169.254", "x.localhost", "[fe80::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
            #expect(try RegistryName(name).origin(.https).isLocal, "\(name)")
        }
    }
}

@Suite("Waiting and trying again")
struct RetryTests {
    @Test("Retry-After is seconds or a date", arguments: [
        ("0", 0), ("120", 120), (" 5 ", 5), ("-1", nil), ("x", nil), ("", nil), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_110_777),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10), ("Thu, 01 Jan 1970 00:16:40 GMT", 0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Thu, 32 Jan 1970 00:00:00 GMT", nil),
        ("Fri, 31 Dec 9999 23:59:60 GMT", 253_402_299_799), ("Thursday", nil), ("9223372036854775808", nil), ("9223372036854775807", .max),
    ] as [(String, Int?)])
    func retryAfter(header: String, seconds: Int?) {
        #expect(RetryAfter.seconds(header, now: 1000) == seconds)
    }

    @Test("delays double up to a limit")
    func delays() {
        let policy = RetryPolicy(firstDelay: .seconds(1), longestDelay: .seconds(30))
        for (failures, seconds) in [(1, 1.0), (2, 2), (3, 4), (5, 16), (6, 30), (1000, 30)] {
            let delay = policy.delay(after: failures)
            #expect(delay >= .seconds(seconds) && delay <= .seconds(seconds * 1.25), "\(failures)")
        }
    }

    @Test("a range continues at the byte that was asked for", arguments: [
        ("bytes 10-99/100", true), ("bytes 10-20/100", true), ("bytes 10-99/*", true), ("bytes 0-99/100", false), ("bytes 10-99/101", false),
        ("bytes 10-100/*", false), ("bytes 10-9/100", false), ("bytes */100", false), ("items 10-99/100", false), ("bytes 10-99", false),
        ("bytes 10-99/100/1", false), ("bytes -99/100", false), ("bytes 10-18446744073709551616/*", false), ("", false),
    ])
    func ranges(header: String, isGood: Bool) {
        #expect((ContentRange(header)?.continues(at: 10, of: 100) ?? false) == isGood)
    }

    @Test("a proxy is used for what is not excepted", arguments: [
        ("https://a.example", 3128), ("http://a.example", 8080), ("https://b.example", nil), ("https://x.b.example", nil),
        ("https://xb.example", 3128), ("https://c.example:5000", nil), ("https://c.example", 3128), ("https://localhost", nil),
    ] as [(String, Int?)])
    func proxies(url: String, port: Int?) throws {
        let variables = ["http_proxy": "http://p:8080", "HTTPS_PROXY": "user:pw@q:3128", "no_proxy": "b.example, c.example:5000,*"]
        let settings = ProxySettings { variables[$0].map { $0.replacing(",*", with: "") } }
        let parts = url.split(separator: "/")
        let origin = try RegistryName(String(parts[1])).origin(parts[0] == "https:" ? .https : .http)
        #expect(settings.proxy(for: origin)?.port == port)
        #expect(ProxySettings { variables[$0] }.proxy(for: origin) == nil)
        #expect(ProxySettings.none.proxy(for: origin) == nil)
    }

    @Test("the configuration names insecure registries")
    func configuration() throws {
        let found = try RegistryConfiguration(json: Array(#"{"insecure":["localhost:5000","docker.io"],"other":1}"#.utf8), path: "f")
        #expect(found.insecure == [try RegistryName("localhost:5000"), try RegistryName("docker.io")])
        for text in ["", "[]", #"{"insecure":"x"}"#, #"{"insecure":["a b"]}"#] {
            #expect(throws: RegistryError.self) { try RegistryConfiguration(json: Array(text.utf8), path: "f") }
        }
        #expect(RegistryConfiguration.paths { ["HOME": "/h"][$0] } == ["/etc/svmm/registries.json", "/h/.config/svmm/registries.json"])
        #expect(RegistryConfiguration.paths { ["HOME": "/h", "SVMM_CONFIG_DIR": "/c"][$0] } == ["/c/registries.json"])
    }
}
