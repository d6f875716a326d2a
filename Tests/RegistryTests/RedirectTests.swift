import NIOHTTP1
import OCI
@testable import Registry
import Testing

@Suite("Redirects")
struct RedirectTests {
    private let image = SampleImage(layerSizes: [1000, 2000, 3000])
    private let alice = Credentials(user: "alice", password: "secret")

    /// A registry that knows alice only, and has its blobs elsewhere.
    private func registry(_ location: @escaping @Sendable (String) -> String, status: HTTPResponseStatus = .temporaryRedirect) async throws -> FaultServer {
        let image = image
        return try await FaultServer { request in
            guard request.authorization != nil else { return .error(.unauthorized, headers: [("WWW-Authenticate", "Basic realm=x")]) }
            guard request.path.contains("/blobs/"), !request.uri.contains("final") else { return image.reply(to: request) }
            return Reply(status: status, headers: [("Location", location(request.path))])
        }
    }

    @Test("blobs may lie on another host, which does not hear the password", arguments: [301, 302, 303, 307, 308])
    func elsewhere(status: Int) async throws {
        let image = image
        let storage = try await FaultServer { image.reply(to: $0) }
        let place = try Workplace()
        let server = try await registry({ "http://\(storage.host)\($0)?signature=abc" }, status: .init(statusCode: status))
        #expect(try await place.pull(server, "team/app:v1", place.options(server, credentials: alice)).id == image.id)
        #expect(storage.requests.count == 4)
        #expect(storage.requests.allSatisfy { $0.authorization == nil && $0.uri.hasSuffix("?signature=abc") })
    }

    @Test("another name of the same machine is another host")
    func otherName() async throws {
        let image = image
        let storage = try await FaultServer { image.reply(to: $0) }
        let place = try Workplace()
        let server = try await registry { "http://localhost:\(storage.port)\($0)" }
        #expect(try await place.pull(server, "team/app:v1", place.options(server, credentials: alice)).id == image.id)
        #expect(storage.requests.allSatisfy { $0.authorization == nil })
    }

    @Test("a redirect within the registry keeps the password, and may be relative")
    func within() async throws {
        let place = try Workplace()
        let server = try await registry { "./\($0.split(separator: "/").last.map(String.init) ?? "")?final" }
        #expect(try await place.pull(server, "team/app:v1", place.options(server, credentials: alice)).id == image.id)
        #expect(server.requests(.GET, "?final").allSatisfy { $0.authorization != nil })
    }

    @Test("the other host is not asked for a password", arguments: ["Basic realm=x", "Bearer realm=\"http://HOST/token\""])
    func challenged(header: String) async throws {
        let storage = try await FaultServer { request in
            let host = request.headers.first(name: "Host") ?? ""
            return .error(.unauthorized, "PAY", headers: [("WWW-Authenticate", header.replacing("HOST", with: host))])
        }
        let place = try Workplace()
        let server = try await registry { "http://\(storage.host)\($0)" }
        let error = await thrown { try await place.pull(server, "team/app:v1", place.options(server, credentials: alice)) }
        #expect(error.hasSuffix("the registry answers 401: PAY"), "\(error)")
        #expect(storage.requests.count == 1 && storage.requests[0].authorization == nil)
    }

    @Test("redirects that go round end after five")
    func round() async throws {
        let place = try Workplace()
        let server = try await registry { $0 + "?again" }
        let error = await thrown { try await place.pull(server, "team/app:v1", place.options(server, credentials: alice)) }
        #expect(error == "http://\(server.host): more than 5 redirects")
        #expect(server.requests(.GET, "/blobs/").count == 6)
    }

    @Test("a redirect to nowhere is an error", arguments: [
        "", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://", "http://a b/", "http://user:password@127.0.0.1/x", "http://\u{7f}/", "http://[::1",
    ])
    func nowhere(location: String) async throws {
        let place = try Workplace()
        let server = try await registry { _ in location }
        let error = await thrown { try await place.pull(server, "team/app:v1", place.options(server, credentials: alice)) }
        #expect(error.hasPrefix("http://\(server.host): "), "\(error)")
    }
}
