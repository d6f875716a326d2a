import OCI
@testable import Registry

/// An image of bytes that a test makes up. Nothing unpacks it: its layers need not be tars.
struct SampleImage: Sendable {
    var configuration: [UInt8]
    var layers: [[UInt8]]
    var manifest: [UInt8]
    var manifestType: String

    init(layers: [[UInt8]], architecture: String = "amd64", isDocker: Bool = false, mark: String = "") {
        self.layers = layers
        let diffs = layers.map { "\"\(Digest(of: $0))\"" }.joined(separator: ",")
        configuration = Array("""
            {"architecture":"\(architecture)","os":"linux","config":{"Labels":{"mark":"\(mark)"}},\
            "rootfs":{"type":"layers","diff_ids":[\(diffs)]}}
            """.utf8)
        manifestType = isDocker ? MediaType.dockerManifest : MediaType.manifest
        let layerType = isDocker ? MediaType.dockerLayer : MediaType.layer
        let configurationType = isDocker ? MediaType.dockerConfiguration : MediaType.configuration
        let items = layers.map { #"{"mediaType":"\#(layerType)","digest":"\#(Digest(of: $0))","size":\#($0.count)}"# }
        manifest = Array("""
            {"schemaVersion":2,"mediaType":"\(manifestType)",\
            "config":{"mediaType":"\(configurationType)","digest":"\(Digest(of: configuration))","size":\(configuration.count)},\
            "layers":[\(items.joined(separator: ","))]}
            """.utf8)
    }

    /// Layers of pseudo-random bytes.
    init(layerSizes: [Int], seed: UInt64 = 1, architecture: String = "amd64", isDocker: Bool = false) {
        var random = SplitMix(seed: seed)
        self.init(layers: layerSizes.map { size in (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) } },
                  architecture: architecture, isDocker: isDocker)
    }

    var digest: Digest { Digest(of: manifest) }
    var id: Digest { Digest(of: configuration) }
    var descriptor: Descriptor { Descriptor(mediaType: manifestType, of: manifest) }

    /// Every blob by the last component of its path.
    var blobs: [String: [UInt8]] {
        Dictionary(([configuration] + layers).map { (Digest(of: $0).description, $0) }) { first, _ in first }
    }

    /// What a good registry answers for `team/app:v1`.
    func reply(to request: Received) -> Reply {
        let name = request.path.split(separator: "/").last.map(String.init) ?? ""
        if request.path == "/v2/" { return Reply() }
        if request.path.hasPrefix("/v2/team/app/manifests/"), [digest.description, "v1"].contains(name) {
            return Reply(headers: [("Content-Type", manifestType), ("Docker-Content-Digest", "\(digest)")], body: manifest)
        }
        guard request.path.hasPrefix("/v2/team/app/blobs/"), let blob = blobs[name] else { return .error(.notFound, "MANIFEST_UNKNOWN") }
        guard request.headers.contains(name: "Range") else { return Reply(body: blob) }
        guard let start = request.rangeStart, start < blob.count else { return .error(.rangeNotSatisfiable) }
        return Reply(status: .partialContent, headers: [("Content-Range", "bytes \(start)-\(blob.count - 1)/\(blob.count)")],
                     body: Array(blob[start...]))
    }

    /// An index of several images.
    static func index(_ images: [(SampleImage, Platform)]) -> [UInt8] {
        let items = images.map { image, platform in
            let variant = platform.variant.map { #","variant":"\#($0)""# } ?? ""
            return """
                {"mediaType":"\(image.manifestType)","digest":"\(image.digest)","size":\(image.manifest.count),\
                "platform":{"os":"\(platform.os)","architecture":"\(platform.architecture)"\(variant)}}
                """
        }
        return Array(#"{"schemaVersion":2,"mediaType":"\#(MediaType.index)","manifests":[\#(items.joined(separator: ","))]}"#.utf8)
    }
}
