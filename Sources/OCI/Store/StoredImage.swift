/// An image in the store.
public struct StoredImage: Sendable {
    /// The digest of the configuration: what people know as the image's id.
    public var id: Digest { content.config.digest }
    /// Sorted; empty for an image whose names others have now.
    public let names: [ImageReference]
    /// The digests by which registries served it: those of the manifest and of the indexes that it was chosen from.
    public let digests: [Digest]
    public let manifest: Descriptor
    public let content: ImageManifest
    public let configuration: ImageConfiguration

    /// Bytes of its blobs in the store; layers that images share count for each.
    public var size: UInt64 {
        content.blobs.reduce(manifest.size) { $0.addingReportingOverflow($1.size).overflow ? .max : $0 + $1.size }
    }

    /// For messages: a name, or the id's first digits.
    public var title: String { names.first?.familiar ?? id.short }
}
