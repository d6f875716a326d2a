/// Points to content: its type, digest and size in bytes. Source: OCI image-spec, descriptor.md.
public struct Descriptor: Hashable, Sendable, Codable {
    public var mediaType: String
    public var digest: Digest
    /// Bytes. Never negative.
    public var size: UInt64
    public var urls: [String]?
    public var annotations: [String: String]?
    /// In an index: what the image runs on.
    public var platform: Platform?
    public var artifactType: String?

    public init(
        mediaType: String, digest: Digest, size: UInt64, annotations: [String: String]? = nil, platform: Platform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
        self.platform = platform
    }

    /// Of bytes in memory.
    public init(mediaType: String, of bytes: [UInt8]) {
        self.init(mediaType: mediaType, digest: Digest(of: bytes), size: UInt64(bytes.count))
    }
}

/// The keys of annotations that mean something here. Source: OCI image-spec, annotations.md.
public enum Annotation {
    /// In `index.json` of a layout: the name of the image.
    public static let referenceName = "org.opencontainers.image.ref.name"
    /// The full name beside a `referenceName` that is only a tag, as containerd and Docker write it.
    public static let containerdName = "io.containerd.image.name"
    /// In an index: the manifest is not an image but says something about one.
    static let dockerReferenceType = "vnd.docker.reference.type"
}

/// How much of an image's documents is read: what lies above is refused, whoever made it.
public enum ImageLimits {
    /// Bytes of a manifest or an index.
    public static let manifest: UInt64 = 4 << 20
    /// Bytes of a configuration.
    public static let configuration: UInt64 = 4 << 20
    /// Bytes of the index.json of a store.
    static let storeIndex: UInt64 = 64 << 20
    public static let layers = 512
    /// Manifests in an index.
    public static let indexEntries = 4096
}
