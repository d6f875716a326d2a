import LinuxSystem
import OCI
@testable import Registry
import Testing

@Suite("Pulling from a registry that fails")
struct PullFaultTests {
    private let image = SampleImage(layerSizes: [100_000, 3, 0, 50_000])

    @Test("an image is pulled, whole, and pulled again without its blobs", arguments: [false, true])
    func whole(isDocker: Bool) async throws {
        let image = SampleImage(layerSizes: [100_000, 3, 0, 50_000], isDocker: isDocker)
        let server = try await FaultServer { image.reply(to: $0) }
        let place = try Workplace()
        let stored = try await place.pull(server)
        #expect(stored.id == image.id)
        #expect(stored.manifest == image.descriptor)
        #expect(stored.names.map(\.description) == ["\(server.host)/team/app:v1"])
        #expect(try place.store.resolve("\(server.host)/team/app:v1")?.id == image.id)
        let before = server.requests.count
        #expect(try await place.pull(server).id == image.id)
        #expect(server.requests[before...].allSatisfy { !$0.path.contains("/blobs/") })
        #expect(place.partials.isEmpty)
    }

    @Test("an image is pulled by its digest, and is known by it")
    func byDigest() async throws {
        let image = image
        let server = try await FaultServer { image.reply(to: $0) }
        let place = try Workplace()
        let stored = try await place.pull(server, "team/app:other@\(image.digest)")
        #expect(stored.names.map(\.description) == ["\(server.host)/team/app@\(image.digest)"])
    }

    @Test("a registry that sends no Docker-Content-Digest does")
    func noDigestHeader() async throws {
        let image = image
        let server = try await FaultServer { request in
            var reply = image.reply(to: request)
            reply.headers.removeAll { $0.0 == "Docker-Content-Digest" || $0.0 == "Content-Type" }
            return reply
        }
        #expect(try await Workplace().pull(server).manifest == image.descriptor)
    }

    @Test("a manifest that is not what its digest says is refused", arguments: ["v1", "digest"])
    func wrongManifest(by kind: String) async throws {
        let image = image
        let server = try await FaultServer { request in
            var reply = image.reply(to: request)
            if request.path.contains("/manifests/") { reply.body.append(0x20) }
            return reply
        }
        let place = try Workplace()
        let name = kind == "v1" ? "team/app:v1" : "team/app@\(image.digest)"
        let error = await thrown { try await place.pull(server, name) }
        #expect(error.contains("manifest: digest mismatch: expected \(image.digest), found sha256:"), "\(error)")
        #expect(place.blobs.isEmpty)
    }

    @Test("a blob with a wrong digest is refused and leaves nothing")
    func wrongBlob() async throws {
        let image = image
        let server = try await FaultServer { request in
            var reply = image.reply(to: request)
            if request.path.hasSuffix("\(Digest(of: image.layers[0]))") { reply.body[5] ^= 1 }
            return reply
        }
        let place = try Workplace()
        let error = await thrown { try await place.pull(server) }
        let layer = Digest(of: image.layers[0])
        #expect(error.hasPrefix("\(server.host)/team/app:v1: blob \(layer.short): digest mismatch: expected \(layer), found sha256:"), "\(error)")
        #expect(!place.partials.contains { $0.contains(layer.hex) })
        #expect(!place.blobs.contains(layer.hex))
        #expect(try place.store.list().isEmpty)
    }

    @Test("a blob of another length is refused before it arrives", arguments: [99_999, 100_001, 1 << 40])
    func wrongLength(length: Int) async throws {
        let image = image
        let server = try await FaultServer { request in
            var reply = image.reply(to: request)
            if request.path.hasSuffix("\(Digest(of: image.layers[0]))") { (reply.length, reply.body, reply.ending) = (length, [], .stall) }
            return reply
        }
        let error = await thrown { try await Workplace().pull(server) }
        #expect(error.hasSuffix("expected 100000 bytes, found \(length)"), "\(error)")
    }

    @Test("a body without an end is cut where the blob ends, and where a manifest is too long")
    func endless() async throws {
        let image = image
        let blobs = try await FaultServer { request in
            var reply = image.reply(to: request)
            if request.path.hasSuffix("\(Digest(of: image.layers[0]))") { (reply.sendsLength, reply.ending) = (false, .endless) }
            return reply
        }
        let place = try Workplace()
        let error = await thrown { try await place.pull(blobs) }
        #expect(error.contains("expected 100000 bytes, found "), "\(error)")
        #expect(!place.partials.contains { $0.hasSuffix(Digest(of: image.layers[0]).hex) })
        let manifests = try await FaultServer { request in
            guard request.path.contains("/manifests/") else { return Reply() }
            return Reply(body: [UInt8](repeating: 0x20, count: 1 << 16), ending: .endless, sendsLength: false)
        }
        #expect(await thrown { try await place.pull(manifests) }.hasSuffix("the answer has more than 4194304 bytes"))
    }

    @Test("a connection that breaks off is continued where it ended")
    func resumed() async throws {
        let image = image
        let (layer, count) = (Digest(of: image.layers[0]), Counter())
        let server = try await FaultServer { request in
            var reply = image.reply(to: request)
            if request.path.hasSuffix("\(layer)"), count.next() < 2 {
                reply.length = reply.body.count
                reply.body = Array(reply.body.prefix(30_000))
                reply.ending = .close
            }
            return reply
        }
        let sleeps = Sleeps()
        let place = try Workplace()
        #expect(try await place.pull(server, "team/app:v1", place.options(server, sleeps: sleeps)).id == image.id)
        // What was on its way when the connection ended may or may not have arrived.
        let starts = server.requests(.GET, "\(layer)").map(\.rangeStart)
        #expect(starts.count == 3 && starts[0] == nil, "\(starts)")
        #expect((1...30_000).contains(starts[1] ?? 0) && (starts[1] ?? 0) < starts[2] ?? 0, "\(starts)")
        #expect(sleeps.noted.count == 2)
        #expect(sleeps.noted[0] >= .seconds(1) && sleeps.noted[0] <= .milliseconds(1250))
        #expect(sleeps.noted[1] >= .seconds(2) && sleeps.noted[1] <= .milliseconds(2500))
    }

    @Test("what an earlier attempt left is continued by the next")
    func continued() async throws {
        let image = image
        let layer = Digest(of: image.layers[0])
        let place = try Workplace()
        let first = try await FaultServer { request in
            var reply = image.reply(to: request)
            if request.path.hasSuffix("\(layer)") {
                reply.length = reply.body.count
                (reply.body, reply.ending) = (request.headers.contains(name: "Range") ? [] : Array(reply.body.prefix(40_000)), .close)
            }
            return reply
        }
        #expect(await thrown { try await place.pull(first) }.contains("127.0.0.1"))
        #expect(place.partials.contains { $0.contains(layer.hex) })
        let second = try await FaultServer { image.reply(to: $0) }
        #expect(try await place.pull(second).id == image.id)
        let starts = second.requests(.GET, "\(layer)").map(\.rangeStart)
        #expect(starts.count == 1 && (1...40_000).contains(starts[0] ?? 0), "\(starts)")
        #expect(place.partials.isEmpty)
    }

    @Test("bytes of an earlier attempt that are wrong are fetched anew")
    func wrongPartial() async throws {
        let image = image
        let layer = Digest(of: image.layers[0])
        let place = try Workplace()
        try replaceFile("\(place.store.root)/images/partial/sha256-\(layer.hex)", with: [UInt8](repeating: 7, count: 500), permissions: 0o600)
        let server = try await FaultServer { image.reply(to: $0) }
        #expect(try await place.pull(server).id == image.id)
        #expect(server.requests(.GET, "\(layer)").map { $0.headers.first(name: "Range") } == ["bytes=500-", nil])
    }

    @Test("a server without ranges, or with other ones, is taken as it is", arguments: ["ignores", "refuses", "another", "nonsense"])
    func ranges(kind: String) async throws {
        let image = image
        let (layer, count) = (Digest(of: image.layers[0]), Counter())
        let server = try await FaultServer { request in
            guard request.path.hasSuffix("\(layer)") else { return image.reply(to: request) }
            let attempt = count.next()
            if attempt == 0 { return Reply(body: Array(image.layers[0].prefix(30_000)), ending: .close, length: 100_000) }
            guard request.headers.contains(name: "Range") else { return Reply(body: image.layers[0]) }
            switch kind {
            case "ignores": return Reply(body: image.layers[0])
            case "refuses": return .error(.rangeNotSatisfiable)
            case "another": return Reply(status: .partialContent, headers: [("Content-Range", "bytes 10-99999/100000")], body: Array(image.layers[0][10...]))
            default: return Reply(status: .partialContent, headers: [("Content-Range", "bytes x-/")], body: [1, 2, 3])
            }
        }
        #expect(try await Workplace().pull(server).id == image.id)
        #expect(count.count == (kind == "ignores" ? 2 : 3))
    }

    @Test("too many requests: as long as the registry says is waited, if that is not too long")
    func rateLimit() async throws {
        let image = image
        let count = Counter()
        let server = try await FaultServer { request in
            if request.path.contains("/manifests/"), count.next() < 2 { return .error(.tooManyRequests, "TOOMANYREQUESTS", headers: [("Retry-After", "7")]) }
            return image.reply(to: request)
        }
        let sleeps = Sleeps()
        let place = try Workplace()
        #expect(try await place.pull(server, "team/app:v1", place.options(server, sleeps: sleeps)).id == image.id)
        #expect(sleeps.noted == [.seconds(7), .seconds(7)])
        for seconds in [86400, Int.max] {
            let strict = try await FaultServer { _ in .error(.tooManyRequests, headers: [("Retry-After", "\(seconds)")]) }
            let error = await thrown { try await place.pull(strict) }
            #expect(error == "\(strict.host)/team/app:v1: too many requests; try again in \(seconds) seconds")
        }
    }

    @Test("a registry that is out of order is asked five times", arguments: [500, 502, 503, 504])
    func outOfOrder(status: UInt) async throws {
        let server = try await FaultServer { request in request.path == "/v2/" ? Reply() : .error(.init(statusCode: Int(status)), "SICK") }
        let sleeps = Sleeps()
        let place = try Workplace()
        let error = await thrown { try await place.pull(server, "team/app:v1", place.options(server, sleeps: sleeps)) }
        #expect(error == "\(server.host)/team/app:v1: the registry answers \(status): SICK")
        #expect(server.requests(.GET, "/manifests/").count == 5)
        #expect(sleeps.noted.count == 4)
    }

    @Test("a server that stalls does not keep the pull for ever", arguments: ["head", "body", "drip"])
    func stalls(kind: String) async throws {
        let image = image
        let layer = Digest(of: image.layers[0])
        let server = try await FaultServer { request in
            guard request.path.hasSuffix("\(layer)") else { return image.reply(to: request) }
            switch kind {
            case "head": return Reply(ending: .stall, length: 100_000)
            case "body": return Reply(body: Array(image.layers[0].prefix(10)), ending: .stall, length: 100_000)
            default: return Reply(body: image.layers[0], ending: .drip(.milliseconds(5)), length: 100_000)
            }
        }
        let place = try Workplace()
        var options = try place.options(server)
        options.timeouts = Timeouts(connect: .seconds(5), idle: .seconds(2), document: .seconds(5), slowness: .milliseconds(200), leastBytes: 1000)
        options.retries.attempts = 2
        let chosen = options
        let error = await thrown { try await place.pull(server, "team/app:v1", chosen) }
        #expect(error == "http://\(server.host): \(kind == "drip" ? "the transfer is too slow" : "no answer in time")")
        #expect(server.requests(.GET, "\(layer)").count == 2)
    }

    @Test("three blobs are on their way at the same time, and no more")
    func parallel() async throws {
        let image = SampleImage(layerSizes: [10, 20, 30, 40, 50, 60])
        let layers = Set(image.layers.map { "\(Digest(of: $0))" })
        let place = try Workplace()
        let server = try await FaultServer { request in
            // Without a length, which would be seen to be wrong.
            layers.contains { request.path.hasSuffix($0) } ? Reply(ending: .stall, sendsLength: false) : image.reply(to: request)
        }
        var options = try place.options(server)
        options.timeouts = Timeouts(idle: .seconds(2))
        options.retries.attempts = 1
        let chosen = options
        _ = await thrown { try await place.pull(server, "team/app:v1", chosen) }
        #expect(server.requests.filter { request in layers.contains { request.path.hasSuffix($0) } }.count == 3)
    }

    @Test("what is not there is said in one line")
    func missing() async throws {
        let image = image
        let layer = Digest(of: image.layers[1])
        let server = try await FaultServer { request in
            request.path.hasSuffix("\(layer)") ? .error(.notFound, "BLOB_UNKNOWN") : image.reply(to: request)
        }
        let place = try Workplace()
        #expect(await thrown { try await place.pull(server, "team/app:v2") } == "\(server.host)/team/app:v2: no such image in the registry; check name and tag")
        let error = await thrown { try await place.pull(server) }
        #expect(error == "\(server.host)/team/app:v1: blob \(layer.short): the registry answers 404: the registry has the manifest, but not this blob")
        let port = server.port
        try await server.close()
        #expect(await thrown { try await place.pull(server) }.hasSuffix("://127.0.0.1:\(port): Connection refused"))
    }

    @Test("a policy says whether the registry is asked")
    func policies() async throws {
        let image = image
        let server = try await FaultServer { image.reply(to: $0) }
        let place = try Workplace()
        let reference = try ImageReference("\(server.host)/team/app:v1")
        var options = PullOptions(registry: try place.options(server))
        options.policy = .never
        let never = options
        #expect(await thrown { try await place.store.pull(reference, options: never) }.hasPrefix("no such image"))
        options.policy = .missing
        let missing = options
        #expect(try await place.store.pull(reference, options: missing).id == image.id)
        try await server.close()
        #expect(try await place.store.pull(reference, options: missing).id == image.id)
        #expect(try await place.store.pull(reference, options: never).id == image.id)
        options.policy = .newer
        let newer = options
        #expect(try await place.store.pull(reference, options: newer).id == image.id)
        options.policy = .always
        let always = options
        #expect(await thrown { try await place.store.pull(reference, options: always) }.hasSuffix("Connection refused"))
    }
}
