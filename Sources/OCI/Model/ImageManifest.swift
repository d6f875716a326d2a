/// The parts of one image: an OCI manifest or Docker's schema 2. Source: OCI image-spec, manifest.md.
public struct ImageManifest: Sendable, Codable {
    public var schemaVersion: Int
    public var mediaType: String?
    public var artifactType: String?
    public var config: Descriptor
    public var layers: [Descriptor]
    public var annotations: [String: String]?

    public init(config: Descriptor, layers: [Descriptor]) {
        schemaVersion = 2
        mediaType = MediaType.isConfiguration(config.mediaType) && config.mediaType == MediaType.dockerConfiguration
            ? MediaType.dockerManifest : MediaType.manifest
        self.config = config
        self.layers = layers
    }

    /// Reads the manifest of an image that can be run. `what` begins the message of an error.
    public init(json bytes: [UInt8], what: String) throws(ImageError) {
        self = try decodeJSON(ImageManifest.self, from: bytes, limit: ImageLimits.manifest, what: what)
        guard schemaVersion == 2 else {
            throw .invalidDocument(what: what, reason: "a manifest of schema version \(schemaVersion), expected 2")
        }
        guard MediaType.isConfiguration(config.mediaType) else {
            throw .unsupported(
                what: what, reason: "not a container image: its configuration is of type \(quoted(config.mediaType))")
        }
        guard config.size <= ImageLimits.configuration else {
            throw .tooLarge(what: "\(what): configuration", found: config.size, limit: ImageLimits.configuration)
        }
        guard layers.count <= ImageLimits.layers else {
            throw .invalidDocument(what: what, reason: "\(layers.count) layers, at most \(ImageLimits.layers) are taken")
        }
        for layer in layers where MediaType.compression(ofLayer: layer.mediaType) == nil {
            throw .unsupported(
                what: what, reason: "a layer of type \(quoted(layer.mediaType)); tar, tar+gzip and tar+zstd can be unpacked")
        }
    }

    /// Everything the manifest points to, each once: the configuration, then the layers from the lowest up.
    public var blobs: [Descriptor] {
        var seen: Set<Digest> = []
        return ([config] + layers).filter { seen.insert($0.digest).inserted }
    }
}

/// What the bytes of a manifest turn out to be.
public enum ManifestDocument: Sendable {
    case image(ImageManifest)
    case index(ImageIndex)

    /// Reads a manifest or an index, told apart by what is in it: `mediaType` inside is optional, and the type that a
    /// registry or another document claims is not to be trusted. `what` begins the message of an error.
    public init(json bytes: [UInt8], what: String) throws(ImageError) {
        struct Outline: Decodable {
            struct Anything: Decodable {
                init(from decoder: any Decoder) {}
            }
            var schemaVersion: Int?
            var mediaType: String?
            var manifests: Anything?
            var config: Anything?
            var layers: Anything?
        }
        let outline = try decodeJSON(Outline.self, from: bytes, limit: ImageLimits.manifest, what: what)
        if outline.schemaVersion == 1 || MediaType.dockerSchema1.contains(outline.mediaType ?? "") {
            throw .unsupported(what: what, reason: "a manifest of Docker's schema 1; push the image again with a newer program")
        }
        switch (outline.manifests != nil, outline.config != nil || outline.layers != nil) {
        case (true, false): self = .index(try ImageIndex(json: bytes, what: what))
        case (false, true): self = .image(try ImageManifest(json: bytes, what: what))
        default: throw .invalidDocument(what: what, reason: "neither an image manifest nor an index")
        }
    }
}
