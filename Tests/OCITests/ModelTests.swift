import OCI
import Testing

@Suite("Documents of images")
struct ModelTests {
    private static let digest = "sha256:" + String(repeating: "ab", count: 32)

    private static func descriptor(_ type: String, _ more: String = "") -> String {
        #"{"mediaType":"\#(type)","digest":"\#(digest)","size":7\#(more)}"#
    }

    private static func index(_ platforms: [String]) throws -> ImageIndex {
        let entries = platforms.enumerated().map { number, text in
            let parts = text.split(separator: " ")[0].split(separator: "/")
            let variant = parts.count > 2 ? #","variant":"\#(parts[2])""# : ""
            let annotation = text.hasSuffix("attestation")
                ? #","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"# : ""
            return #"""
                {"mediaType":"\#(MediaType.manifest)","digest":"\#(digest)","size":\#(number),
                "platform":{"os":"\#(parts[0])","architecture":"\#(parts[1])"\#(variant)}\#(annotation)}
                """#
        }
        let json = #"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#
        return try ImageIndex(json: Array(json.utf8), what: "app")
    }

    @Test("the manifest for a platform is chosen from an index", arguments: [
        (["linux/arm64", "linux/amd64"], "linux/amd64", 1),
        (["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"], "linux/amd64", 2),
        (["linux/amd64/v3", "linux/amd64/v2"], "linux/amd64", 1),
        (["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v3", 1),
        (["linux/amd64/v3", "linux/amd64/v3"], "linux/amd64/v3", 0),
        (["linux/x86_64"], "linux/amd64", 0),
        (["unknown/unknown", "linux/amd64 attestation", "linux/amd64"], "linux/x86_64", 2),
        (["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7", 1),
    ])
    func chosen(platforms: [String], wanted: String, position: UInt64) throws {
        let found = try Self.index(platforms).manifest(for: try Platform(wanted), what: "app")
        #expect(found.size == position)
    }

    @Test("without an image for the platform the error lists those there are")
    func noPlatform() throws {
        let index = try Self.index(["linux/arm64/v8", "windows/amd64", "windows/amd64", "unknown/unknown"])
        do {
            _ = try index.manifest(for: .host, what: "app")
            Issue.record("no error")
        } catch {
            #expect("\(error)" == "app: no image for linux/amd64; there are linux/arm64/v8, windows/amd64")
        }
        let single = #"{"schemaVersion":2,"manifests":[\#(Self.descriptor(MediaType.dockerManifest))]}"#
        #expect(try ImageIndex(json: Array(single.utf8), what: "app").manifest(for: .host, what: "app").size == 7)
    }

    @Test("platforms are OS/ARCHITECTURE[/VARIANT]", arguments: ["", "linux", "linux/", "linux/amd64/v1/x", "linux/amd 64", "/", "a/b/"])
    func platforms(text: String) {
        #expect(throws: ImageError.invalidPlatform(text)) { try Platform(text) }
    }

    @Test("a configuration says how its process runs")
    func configuration() throws {
        let json = #"""
            {"created":"2026-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{
              "User":"nobody:daemon","Entrypoint":["/bin/sh","-c"],"Cmd":["echo"],"Env":["A=b","C="],"WorkingDir":"/w",
              "ExposedPorts":{"80/tcp":{},"53/udp":{},"9000-9002":{}},"Volumes":{"/v":{},"/a":{}},"Labels":{"x":"y"},
              "StopSignal":"SIGQUIT","ArgsEscaped":true,"OnBuild":null,
              "Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":30000000000,"Retries":-1},"Shell":["/bin/bash","-c"]},
             "rootfs":{"type":"layers","diff_ids":["\#(Self.digest)"]},"history":[{"created_by":"x"}]}
            """#
        let configuration = try ImageConfiguration(json: Array(json.utf8), what: "app")
        let process = configuration.config
        #expect(process.user == "nobody:daemon")
        #expect(process.entrypoint + process.cmd == ["/bin/sh", "-c", "echo"])
        #expect(process.env == ["A=b", "C="])
        #expect(process.workingDir == "/w")
        #expect(process.exposedPorts.map(\.description) == ["53/udp", "80/tcp", "9000/tcp", "9001/tcp", "9002/tcp"])
        #expect(process.volumes == ["/a", "/v"])
        #expect(process.labels == ["x": "y"])
        #expect(process.stopSignal == "SIGQUIT")
        #expect(process.shell == ["/bin/bash", "-c"])
        #expect(process.healthcheck == Healthcheck(test: ["CMD-SHELL", "true"], interval: 30_000_000_000))
        #expect(configuration.platform == .host)
        #expect(configuration.rootfs.diffIDs.map(\.description) == [Self.digest])
        // null and nothing mean the same.
        let least = #"""
            {"architecture":"amd64","os":"linux","config":{"Cmd":null,"Env":null,"Labels":null,"StopSignal":""},
            "rootfs":{"type":"layers","diff_ids":[]}}
            """#
        let empty = try ImageConfiguration(json: Array(least.utf8), what: "app").config
        #expect(empty.cmd == [] && empty.env == [] && empty.labels == [:] && empty.stopSignal == nil && empty.healthcheck == nil)
    }

    @Test("a document that is none, or of another kind, is refused with a line that says why", arguments: [
        ("", "app: not a JSON document"),
        ("[1", "app: not a JSON document"),
        ("[]", "app: the document has the wrong type"),
        ("{}", "app: neither an image manifest nor an index"),
        (#"{"schemaVersion":1,"fsLayers":[]}"#, "Docker's schema 1"),
        (#"{"schemaVersion":2,"manifests":[{}]}"#, #"app: "manifests[0].mediaType" is missing"#),
        (#"{"schemaVersion":2,"manifests":1}"#, #"app: "manifests" has the wrong type"#),
        (#"{"schemaVersion":3,"manifests":[]}"#, "schema version 3, expected 2"),
        (#"{"schemaVersion":2,"config":null,"layers":[]}"#, #"app: "config" is "#),
        (#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:0","size":1},"layers":[]}"#, "lower-case hexadecimal"),
        (#"{"schemaVersion":2,"config":\#(descriptor("application/vnd.cncf.helm.config.v1+json")),"layers":[]}"#, "not a container image"),
        (#"{"schemaVersion":2,"config":\#(descriptor(MediaType.configuration)),"layers":[\#(descriptor("x+encrypted"))]}"#, "x+encrypted"),
        (#"{"schemaVersion":2,"config":{"mediaType":"\#(MediaType.configuration)","digest":"\#(digest)","size":-1},"layers":[]}"#, "a number that is out of range"),
        (#"{"schemaVersion":2,"config":{"mediaType":"\#(MediaType.configuration)","digest":"\#(digest)","size":99999999},"layers":[]}"#, "at most 4194304"),
        (String(repeating: "[", count: 100_000), "app: "),
    ])
    func refused(json: String, reason: String) {
        do {
            _ = try ManifestDocument(json: Array(json.utf8), what: "app")
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains(reason), "\(error)")
            #expect(!"\(error)".contains("\n"))
        }
    }

    @Test("documents are not read beyond their limits")
    func limits() {
        let layers = (0..<600).map { _ in Self.descriptor(MediaType.layer) }.joined(separator: ",")
        let many = #"{"schemaVersion":2,"config":\#(Self.descriptor(MediaType.configuration)),"layers":[\#(layers)]}"#
        #expect(throws: ImageError.invalidDocument(what: "app", reason: "600 layers, at most 512 are taken")) {
            try ImageManifest(json: Array(many.utf8), what: "app")
        }
        let large = [UInt8](repeating: 32, count: (4 << 20) + 1)
        #expect(throws: ImageError.tooLarge(what: "app", found: 4_194_305, limit: 4_194_304)) {
            try ImageManifest(json: large, what: "app")
        }
        #expect(throws: ImageError.tooLarge(what: "app", found: 4_194_305, limit: 4_194_304)) {
            try ImageConfiguration(json: large, what: "app")
        }
    }

    @Test("sources are told from names", arguments: [
        ("oci:dir", ImageSource.ociDirectory(path: "dir", name: nil)), ("oci:/a/b:c:d", .ociDirectory(path: "/a/b", name: "c:d")),
        ("oci-archive:f.tar:x/y:1", .archive(path: "f.tar", name: "x/y:1")), ("docker-archive:f.tar", .archive(path: "f.tar", name: nil)),
        ("oci:dir:", .ociDirectory(path: "dir", name: nil)),
    ])
    func sources(text: String, source: ImageSource) {
        #expect(ImageSource(text) == source)
        #expect(ImageSource("quay.io/" + text) == nil)
    }
}
