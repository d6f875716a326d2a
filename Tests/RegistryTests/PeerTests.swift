import LinuxSystem
import OCI
import ProcessSupport
@testable import Registry
import Testing

/// Debian's registry, and images made and read by skopeo and umoci.
@Suite("Real registries and other programs' images", .needs("docker-registry", "skopeo", "umoci", "openssl", "htpasswd"))
struct PeerTests {
    /// An OCI layout with an image of two layers, `DIR/layout:app`, made by umoci.
    private func makeImage(_ place: Workplace, file bytes: Int = 3_000_000) async throws -> String {
        let layout = "\(place.path)/layout"
        try await Tool.run(["umoci", "init", "--layout", layout])
        try await Tool.run(["umoci", "new", "--image", "\(layout):app"])
        var random = SplitMix(seed: 4)
        try replaceFile("\(place.path)/data", with: (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) }, permissions: 0o644)
        for name in ["/data", "/copy"] { try await Tool.run(["umoci", "insert", "--rootless", "--image", "\(layout):app", "\(place.path)/data", name]) }
        try await Tool.run(["umoci", "config", "--image", "\(layout):app", "--config.cmd", "/data", "--architecture", "amd64"])
        return "oci:\(layout):app"
    }

    private let push = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false"]

    @Test("an image of skopeo's is pulled by TLS and password, and pushed images are read by skopeo")
    func guarded() async throws {
        let registry = try await RealRegistry.start(.guarded)
        let place = registry.place
        let source = try await makeImage(place)
        let host = "localhost:\(registry.port)"
        try await Tool.run(push + ["--dest-creds", "alice:secret", source, "docker://\(registry.host)/team/app:v1"])

        var result = try await place.svmm("image", "pull", "\(host)/team/app:v1")
        #expect(result.end == .exited(125))
        #expect(result.errors == "svmm: https://\(host): TLS: the certificate is not trusted: put its authority into /etc/containers/certs.d/\(host)/ca.crt, or give --tls-verify=false\n")
        result = try await place.svmm("registry", "login", "-u", "alice", "--password-stdin", "--cert-dir", registry.certificates, host, input: "wrong\n")
        #expect(result.end == .exited(125))
        #expect(result.errors == "svmm: \(host): access refused for user \"alice\": authentication required; log in with: svmm registry login \(host)\n")
        #expect(place.read("auth.json") == nil)
        result = try await place.svmm("registry", "login", "-u", "alice", "--password-stdin", "--cert-dir", registry.certificates, host, input: "secret\n")
        #expect(result.end == .exited(0) && result.output == "Login Succeeded!\n", "\(result.errors)")

        result = try await place.svmm("image", "pull", "--cert-dir", registry.certificates, "\(host)/team/app:v1")
        #expect(result.end == .exited(0) && result.errors.isEmpty, "\(result.errors)")
        let image = try #require(try place.store.resolve("\(host)/team/app:v1"))
        #expect(result.output == "\(image.id.hex)\n")
        #expect(image.configuration.config.cmd == ["/data"] && image.content.layers.count == 2)

        for target in ["\(host)/new/app:v2", "\(host)/team/app:v3"] {
            result = try await place.svmm("image", "push", "--cert-dir", registry.certificates, "--digestfile", "\(place.path)/digest", "\(host)/team/app:v1", target)
            #expect(result.end == .exited(0) && result.output.isEmpty && result.errors.isEmpty, "\(result.errors)")
            #expect(place.read("digest") == "\(image.manifest.digest)")
            let inspect = try await Tool.run(["skopeo", "inspect", "--tls-verify=false", "--creds", "alice:secret", "--raw",
                                        "docker://\(registry.host)/\(target.split(separator: "/", maxSplits: 1)[1])"])
            #expect(Digest(of: inspect.utf8) == image.manifest.digest)
        }
        try await Tool.run(["skopeo", "copy", "--quiet", "--src-tls-verify=false", "--src-creds", "alice:secret", "docker://\(registry.host)/new/app:v2",
                      "oci:\(place.path)/back:app"])

        result = try await place.svmm("registry", "logout", host)
        #expect(result.end == .exited(0) && result.output == "Removed login credentials for \(host)\n")
        result = try await place.svmm("image", "pull", "--cert-dir", registry.certificates, "\(host)/team/app:v1", environment: ["REGISTRY_AUTH_FILE="])
        #expect(result.end == .exited(125) && result.errors.contains("authentication needed"), "\(result.errors)")
    }

    @Test("skopeo and svmm read each other's credentials")
    func sharedCredentials() async throws {
        let registry = try await RealRegistry.start(.guarded)
        let place = registry.place
        let source = try await makeImage(place, file: 1000)
        try await Tool.run(["skopeo", "login", "--tls-verify=false", "--authfile", "\(place.path)/auth.json", "-u", "alice", "-p", "secret", registry.host])
        try await Tool.run(push + ["--authfile", "\(place.path)/auth.json", source, "docker://\(registry.host)/team/app:v1"])
        var result = try await place.svmm("image", "pull", "-q", "--tls-verify=false", "\(registry.host)/team/app:v1")
        #expect(result.end == .exited(0), "\(result.errors)")
        result = try await place.svmm("registry", "login", "--get-login", registry.host)
        #expect(result.output == "alice\n")
        result = try await place.svmm("registry", "logout", "--all")
        #expect(result.end == .exited(0))
        result = try await place.svmm("registry", "login", "--tls-verify=false", "-u", "alice", "-p", "secret", registry.host)
        #expect(result.end == .exited(0), "\(result.errors)")
        try await Tool.run(["skopeo", "inspect", "--tls-verify=false", "--authfile", "\(place.path)/auth.json", "docker://\(registry.host)/team/app:v1"])
    }

    @Test("manifests of Docker's schema 2 and layers of zstd and gzip are pulled", arguments: [
        ["--format", "v2s2"], ["--format", "oci", "--dest-compress-format", "zstd", "--dest-compress"], ["--format", "v2s2", "--dest-decompress"],
    ])
    func formats(options: [String]) async throws {
        let registry = try await RealRegistry.start(.plain)
        let place = registry.place
        _ = try place.write(#"{"insecure":["\#(registry.host)"]}"#, to: "registries.json")
        // Sent from a directory: skopeo compresses and converts on its way there.
        let source = try await makeImage(place, file: 100_000)
        try await Tool.run(["skopeo", "copy", "--quiet"] + options.map { $0 } + [source, "dir:\(place.path)/converted"])
        try await Tool.run(push + ["dir:\(place.path)/converted", "docker://\(registry.host)/team/app:v1"])
        let result = try await place.svmm("image", "pull", "\(registry.host)/team/app:v1")
        #expect(result.end == .exited(0), "\(result.errors)")
        let image = try #require(try place.store.resolve("\(registry.host)/team/app:v1"))
        let type = image.content.layers[0].mediaType
        #expect(type.contains(options.contains("v2s2") ? "docker" : "oci") && type.contains("zstd") == options.contains("zstd"), "\(type)")
    }

    @Test("of an index the platform is taken that was asked for")
    func index() async throws {
        let registry = try await RealRegistry.start(.plain)
        let place = registry.place
        _ = try place.write(#"{"insecure":["\#(registry.host)"]}"#, to: "registries.json")
        let images = [SampleImage(layerSizes: [1000], seed: 1), SampleImage(layerSizes: [2000], seed: 2, architecture: "arm64")]
        let index = SampleImage.index([(images[0], .host), (images[1], try Platform("linux/arm64/v8"))])
        let layout = "\(place.path)/layout"
        try makeDirectories("\(layout)/blobs/sha256", permissions: 0o700)
        for bytes in images.flatMap({ [$0.manifest, $0.configuration] + $0.layers }) + [index] {
            try replaceFile("\(layout)/blobs/sha256/\(Digest(of: bytes).hex)", with: bytes, permissions: 0o600)
        }
        _ = try place.write(#"{"imageLayoutVersion":"1.0.0"}"#, to: "layout/oci-layout")
        _ = try place.write("""
            {"schemaVersion":2,"manifests":[{"mediaType":"\(MediaType.index)","digest":"\(Digest(of: index))","size":\(index.count),\
            "annotations":{"org.opencontainers.image.ref.name":"app"}}]}
            """, to: "layout/index.json")
        try await Tool.run(push + ["--all", "oci:\(layout):app", "docker://\(registry.host)/team/app:v1"])
        var result = try await place.svmm("image", "pull", "\(registry.host)/team/app:v1")
        #expect(result.output == "\(images[0].id.hex)\n", "\(result.errors)")
        // skopeo writes the index anew.
        let served = Digest(of: (try await Tool.run(["skopeo", "inspect", "--tls-verify=false", "--raw", "docker://\(registry.host)/team/app:v1"])).utf8)
        result = try await place.svmm("image", "pull", "--platform", "linux/arm64", "\(registry.host)/team/app@\(served)")
        #expect(result.output == "\(images[1].id.hex)\n", "\(result.errors)")
        result = try await place.svmm("image", "pull", "--platform", "linux/s390x", "\(registry.host)/team/app:v1")
        #expect(result.end == .exited(125))
        #expect(result.errors == "svmm: \(registry.host)/team/app:v1: no image for linux/s390x; there are linux/amd64, linux/arm64/v8\n")
    }
}
