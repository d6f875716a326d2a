/// A list of manifests, one per platform: an OCI index or a Docker manifest list. Source: OCI image-spec, image-index.md.
public struct ImageIndex: Sendable, Codable {
    public var schemaVersion: Int
    public var mediaType: String?
    public var manifests: [Descriptor]
    public var annotations: [String: String]?

    public init(manifests: [Descriptor]) {
        schemaVersion = 2
        mediaType = MediaType.index
        self.manifests = manifests
    }

    /// Reads an index. `what` begins the message of an error, for example the image's name.
    public init(json bytes: [UInt8], what: String) throws(ImageError) {
        self = try decodeJSON(ImageIndex.self, from: bytes, limit: ImageLimits.manifest, what: what)
        guard schemaVersion == 2 else {
            throw .invalidDocument(what: what, reason: "an index of schema version \(schemaVersion), expected 2")
        }
        guard manifests.count <= ImageLimits.indexEntries else {
            throw .invalidDocument(
                what: what, reason: "an index of \(manifests.count) manifests, at most \(ImageLimits.indexEntries) are taken")
        }
    }

    /// The descriptor of the image for a platform. `what` names the image in the error, which lists the platforms there are.
    ///
    /// What says that it is not an image (attestations) is passed over. Of several that suit as well the first is taken.
    public func manifest(for wanted: Platform, what: String) throws(ImageError) -> Descriptor {
        let images = manifests.filter { descriptor in
            descriptor.annotations?[Annotation.dockerReferenceType] == nil && descriptor.platform?.os != "unknown"
                && (MediaType.isManifest(descriptor.mediaType) || MediaType.isIndex(descriptor.mediaType))
        }
        var best: (descriptor: Descriptor, suitability: Int)?
        for descriptor in images {
            guard let platform = descriptor.platform, let suitability = wanted.suitability(of: platform) else { continue }
            if suitability > best?.suitability ?? Int.min { best = (descriptor, suitability) }
        }
        if let best { return best.descriptor }
        // An index need not name platforms: with one image in it there is nothing to choose.
        if images.count == 1, images[0].platform == nil { return images[0] }
        var available: [String] = []
        for platform in images.compactMap(\.platform) where !available.contains("\(platform)") && available.count < 20 {
            available.append("\(platform)")
        }
        throw .noSuchPlatform(image: what, wanted: wanted, available: available)
    }
}
