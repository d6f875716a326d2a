import OCI
@testable import Registry
import Testing

@Suite("Images for several platforms")
struct PlatformPullTests {
    private let amd = SampleImage(layerSizes: [100], seed: 1)
    private let arm = SampleImage(layerSizes: [200], seed: 2, architecture: "arm64")

    private func server(_ index: [UInt8]) async throws -> FaultServer {
        let images = [amd, arm]
        return try await FaultServer { request in
            if request.path.hasSuffix("/manifests/v1") || request.path.hasSuffix("/manifests/\(Digest(of: index))") {
                return Reply(headers: [("Content-Type", MediaType.index)], body: index)
            }
            return images.map { $0.reply(to: request) }.first { $0.status == .ok } ?? .error(.notFound)
        }
    }

    @Test("the platform that is asked for is chosen, and the index's digest is known")
    func chosen() async throws {
        let index = SampleImage.index([(arm, try Platform("linux/arm64")), (amd, try Platform("linux/amd64"))])
        let server = try await server(index)
        let place = try Workplace()
        let stored = try await place.pull(server)
        #expect(stored.id == amd.id)
        #expect(stored.digests == [amd.digest, Digest(of: index)])
        var options = PullOptions(registry: try place.options(server))
        options.platform = try Platform("linux/arm64")
        let chosen = options
        let reference = try ImageReference("\(server.host)/team/app@\(Digest(of: index))")
        #expect(try await place.store.pull(reference, options: chosen).id == arm.id)
    }

    @Test("a platform that there is not is an error that names those there are")
    func missing() async throws {
        let server = try await server(SampleImage.index([(arm, try Platform("linux/arm64")), (arm, try Platform("linux/arm/v7"))]))
        let error = await thrown { try await Workplace().pull(server) }
        #expect(error == "\(server.host)/team/app:v1: no image for linux/amd64; there are linux/arm64, linux/arm/v7")
    }

    @Test("an image that is for another platform by its own word is refused before its layers are fetched")
    func configuration() async throws {
        let arm = arm
        let server = try await FaultServer { arm.reply(to: $0) }
        let error = await thrown { try await Workplace().pull(server) }
        #expect(error == "\(server.host)/team/app:v1: no image for linux/amd64; there are linux/arm64")
        #expect(server.requests(.GET, "\(Digest(of: arm.layers[0]))").isEmpty)
    }

    @Test("a manifest of another size or digest than the index says is refused")
    func wrong() async throws {
        let index = SampleImage.index([(amd, .host)])
        let images = [amd]
        for change in [0, 1] {
            let server = try await FaultServer { request in
                if request.path.hasSuffix("/manifests/v1") { return Reply(body: index) }
                var reply = images[0].reply(to: request)
                if request.path.contains("/manifests/") { if change == 0 { reply.body.append(0x20) } else { reply.body[1] ^= 0x20 } }
                return reply
            }
            let error = await thrown { try await Workplace().pull(server) }
            #expect(error.contains(change == 0 ? "manifest: expected \(amd.manifest.count) bytes" : "manifest: digest mismatch"), "\(error)")
        }
    }

    @Test("indexes that point to each other end")
    func nested() async throws {
        // Whatever digest is asked for, the answer is an index that points on; the digest cannot be right twice.
        let server = try await FaultServer { request in
            let next = #"{"mediaType":"\#(MediaType.index)","digest":"\#(Digest(of: [1]))","size":3,"platform":{"os":"linux","architecture":"amd64"}}"#
            return Reply(body: Array(#"{"schemaVersion":2,"manifests":[\#(next)]}"#.utf8))
        }
        #expect(await thrown { try await Workplace().pull(server) }.contains("manifest: expected 3 bytes"))
    }
}
