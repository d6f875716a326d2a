import NIOHTTP1
import OCI
@testable import Registry
import Synchronization
import Testing

/// A registry that keeps what is pushed to it, with a few ways to be difficult.
private final class Receiver: Sendable {
    struct Contents {
        var blobs: [String: [UInt8]] = [:]
        var uploads: [String: [UInt8]] = [:]
        var manifests: [String: [UInt8]] = [:]
        var mounted: [String] = []
    }

    let contents = Mutex(Contents())
    /// Bodies that are longer are refused.
    let limit: Int
    let canMount: Bool
    /// Where uploads go on; nil for the registry itself.
    let uploadHost: Mutex<String?> = Mutex(nil)

    init(limit: Int = .max, canMount: Bool = false) {
        self.limit = limit
        self.canMount = canMount
    }

    func reply(to request: Received) -> Reply {
        let path = request.path
        let query = Dictionary(request.uri.drop { $0 != "?" }.dropFirst().split(separator: "&").compactMap { field -> (String, String)? in
            let parts = field.split(separator: "=", maxSplits: 1).map(String.init)
            return parts.count == 2 ? (parts[0], parts[1].replacing("%3A", with: ":").replacing("%2F", with: "/")) : nil
        }) { first, _ in first }
        guard request.body.count <= limit else { return .error(.payloadTooLarge, "TOO LARGE") }
        return contents.withLock { contents in
            switch request.method {
            case .HEAD:
                let digest = path.split(separator: "/").last.map(String.init) ?? ""
                return contents.blobs[digest].map { Reply(length: $0.count) } ?? Reply(status: .notFound)
            case .POST:
                if let digest = query["mount"], let source = query["from"], canMount {
                    contents.mounted.append("\(source)@\(digest)")
                    contents.blobs[digest] = []
                    return Reply(status: .created, headers: [("Location", "/x")])
                }
                let name = "/upload/\(contents.uploads.count)"
                contents.uploads[name] = []
                return Reply(status: .accepted, headers: [("Location", (uploadHost.withLock { $0 } ?? "") + name + "?state=s")])
            case .PATCH:
                guard let have = contents.uploads[path],
                      request.headers.first(name: "Content-Range") == "\(have.count)-\(have.count + request.body.count - 1)" else {
                    return .error(.rangeNotSatisfiable)
                }
                contents.uploads[path] = have + request.body
                return Reply(status: .accepted, headers: [("Location", path + "?state=t")])
            case .PUT where path.contains("/manifests/"):
                contents.manifests[path] = request.body
                return Reply(status: .created, headers: [("Docker-Content-Digest", "\(Digest(of: request.body))")])
            case .PUT:
                guard let digest = query["digest"], query["state"] != nil, let have = contents.uploads[path] else { return .error(.badRequest) }
                let bytes = have + request.body
                guard digest == "\(Digest(of: bytes))" else { return .error(.badRequest, "DIGEST_INVALID") }
                contents.blobs[digest] = bytes
                return Reply(status: .created)
            case .DELETE:
                contents.uploads[path] = nil
                return Reply(status: .noContent)
            default:
                return Reply()
            }
        }
    }
}

@Suite("Pushing to a registry")
struct PushTests {
    private let image = SampleImage(layerSizes: [700_000, 5, 300_000])

    /// An image in a new store, pulled from a server that is gone.
    private func stored(_ place: Workplace, also names: [String] = []) async throws -> StoredImage {
        let image = image
        let source = try await FaultServer { image.reply(to: $0) }
        let stored = try await place.pull(source)
        for name in names { try place.store.tag(stored, as: try ImageReference(name)) }
        return try #require(try place.store.resolve("\(source.host)/team/app:v1"))
    }

    @Test("what the registry lacks is sent, and then the manifest; a second push sends no blob")
    func whole() async throws {
        let receiver = Receiver()
        let server = try await FaultServer { receiver.reply(to: $0) }
        let place = try Workplace()
        let stored = try await stored(place)
        let target = try ImageReference("\(server.host)/new/name:v2")
        try await place.store.push(stored, to: target, options: place.options(server))
        let contents = receiver.contents.withLock { $0 }
        #expect(contents.blobs == image.blobs)
        #expect(contents.manifests == ["/v2/new/name/manifests/v2": image.manifest])
        let sent = try #require(server.requests(.PUT, "/manifests/").first)
        #expect(sent.headers.first(name: "Content-Type") == image.manifestType)
        #expect(server.requests.last?.path == "/v2/new/name/manifests/v2")
        let before = server.requests.count
        try await place.store.push(stored, to: target, options: place.options(server))
        #expect(server.requests[before...].allSatisfy { [.GET, .HEAD].contains($0.method) || $0.path.contains("/manifests/") })
    }

    @Test("a registry takes blobs from its other repositories itself")
    func mounted() async throws {
        let receiver = Receiver(canMount: true)
        let server = try await FaultServer { receiver.reply(to: $0) }
        let place = try Workplace()
        let stored = try await stored(place, also: ["\(server.host)/old/name:v1", "\(server.host)/new/name:v1"])
        try await place.store.push(stored, to: try ImageReference("\(server.host)/new/name:v2"), options: place.options(server))
        #expect(receiver.contents.withLock { $0.mounted.sorted() } == image.blobs.keys.map { "old/name@\($0)" }.sorted())
        #expect(server.requests(.PUT, "upload").isEmpty)
    }

    @Test("where it cannot, they are sent")
    func unmounted() async throws {
        let receiver = Receiver()
        let server = try await FaultServer { receiver.reply(to: $0) }
        let place = try Workplace()
        let stored = try await stored(place, also: ["\(server.host)/old/name:v1"])
        try await place.store.push(stored, to: try ImageReference("\(server.host)/new/name:v2"), options: place.options(server))
        #expect(receiver.contents.withLock { $0.blobs } == image.blobs)
        #expect(server.requests(.POST, "").count == 4)
    }

    @Test("the other host that takes the bytes does not hear the password, and a registry that wants it does")
    func elsewhere() async throws {
        let receiver = Receiver()
        let storage = try await FaultServer { receiver.reply(to: $0) }
        receiver.uploadHost.withLock { $0 = "http://\(storage.host)" }
        let server = try await FaultServer { request in
            request.authorization == nil ? .error(.unauthorized, headers: [("WWW-Authenticate", "Basic realm=x")]) : receiver.reply(to: request)
        }
        let place = try Workplace()
        let stored = try await stored(place)
        let options = try place.options(server, credentials: Credentials(user: "alice", password: "secret"))
        try await place.store.push(stored, to: try ImageReference("\(server.host)/new/name:v2"), options: options)
        #expect(receiver.contents.withLock { $0.blobs } == image.blobs)
        #expect(storage.requests.count == 4)
        #expect(storage.requests.allSatisfy { $0.authorization == nil })
    }

    @Test("what does not go in one piece goes in several")
    func chunks() async throws {
        var random = SplitMix(seed: 9)
        let large = SampleImage(layers: [(0..<(RegistryClient.chunkSize + 5)).map { _ in UInt8.random(in: 0...255, using: &random) }])
        let source = try await FaultServer { large.reply(to: $0) }
        let receiver = Receiver(limit: RegistryClient.chunkSize)
        let server = try await FaultServer { receiver.reply(to: $0) }
        let place = try Workplace()
        let stored = try await place.pull(source)
        try await place.store.push(stored, to: try ImageReference("\(server.host)/new/name:v2"), options: place.options(server))
        #expect(receiver.contents.withLock { $0.blobs } == large.blobs)
        #expect(server.requests(.PATCH, "").map { $0.headers.first(name: "Content-Range") } == ["0-16777215", "16777216-16777220"])
    }

    @Test("a push that is refused says so", arguments: [403, 400, 405])
    func refused(status: Int) async throws {
        let server = try await FaultServer { request in
            request.method == .POST ? .error(.init(statusCode: status), "NOT HERE") : Reply(status: request.method == .HEAD ? .notFound : .ok)
        }
        let place = try Workplace()
        let stored = try await stored(place)
        let error = await thrown { try await place.store.push(stored, to: try ImageReference("\(server.host)/new/name:v2"), options: place.options(server)) }
        if status == 403 {
            #expect(error == "\(server.host): authentication needed: NOT HERE; log in with: svmm registry login \(server.host)")
        } else {
            #expect(error.hasSuffix("the registry answers \(status): NOT HERE"), "\(error)")
        }
    }

    @Test("a destination with a digest is that image's or none")
    func digest() async throws {
        let receiver = Receiver()
        let server = try await FaultServer { receiver.reply(to: $0) }
        let place = try Workplace()
        let stored = try await stored(place)
        let wrong = try ImageReference("\(server.host)/new/name@\(Digest(of: [1]))")
        #expect(await thrown { try await place.store.push(stored, to: wrong, options: place.options(server)) }.contains("digest mismatch"))
        let right = try ImageReference("\(server.host)/new/name@\(image.digest)")
        try await place.store.push(stored, to: right, options: place.options(server))
        #expect(receiver.contents.withLock { $0.manifests.keys.sorted() } == ["/v2/new/name/manifests/\(image.digest)"])
    }
}
