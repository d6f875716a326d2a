/// The index.json of an OCI layout, read as a list of named images.
struct LayoutIndex {
    struct Image {
        /// What the layout calls it: a full name, a tag, or anything; nil for no name.
        var label: String?
        /// A name for the store.
        var name: ImageReference?
        /// Manifests or indexes; several when the layout has one for each platform.
        var manifests: [Descriptor]
    }

    private(set) var images: [Image] = []

    /// - Parameters:
    ///   - source: the directory or file: for names of what has only a tag, and for errors.
    init(json bytes: [UInt8], source: String) throws(ImageError) {
        let index = try ImageIndex(json: bytes, what: "\(source): index.json")
        for descriptor in index.manifests {
            let label = descriptor.annotations?[Annotation.referenceName]
            let full = descriptor.annotations?[Annotation.containerdName] ?? label
            if let position = images.firstIndex(where: { $0.label == label && $0.label == nil }) {
                images[position].manifests.append(descriptor)
            } else {
                images.append(Image(label: label, name: full.flatMap { Self.name($0, source: source) }, manifests: [descriptor]))
            }
        }
    }

    /// A name that is one; a tag becomes that of `localhost/FILE`; nil for a text that is neither.
    private static func name(_ text: String, source: String) -> ImageReference? {
        if text.contains("/") || text.contains(":") { return try? ImageReference(text) }
        let file = source.split(separator: "/").last.map(String.init) ?? "image"
        let stem = file.lowercased().split(separator: ".").first.map(String.init) ?? "image"
        return try? ImageReference("localhost/\(stem):\(text)")
    }

    /// The images that are asked for: all, or those with this label or name.
    func selected(_ label: String?, source: String) throws(ImageError) -> [Image] {
        guard !images.isEmpty else { throw .invalidArchive(path: source, reason: "no image in it") }
        guard let label else { return images }
        let wanted = try? ImageReference(label)
        let found = images.filter { $0.label == label || ($0.name != nil && $0.name == wanted) }
        guard found.isEmpty else { return found }
        let labels = images.compactMap(\.label).prefix(20).map { quoted($0) }.joined(separator: ", ")
        throw .invalidArchive(path: source, reason: "no image \(quoted(label)) in it"
                              + (labels.isEmpty ? "" : "; there are \(labels)"))
    }
}

extension LayoutIndex.Image {
    /// The manifest for a platform; `read` gives the bytes of an index or a manifest.
    func manifest(
        for platform: Platform, what: String, read: (Descriptor) throws(ImageError) -> [UInt8]
    ) throws(ImageError) -> (descriptor: Descriptor, content: ImageManifest, source: Digest?) {
        var descriptor = manifests.count == 1 ? manifests[0]
            : try ImageIndex(manifests: manifests).manifest(for: platform, what: what)
        var source: Digest?
        // An index may hold indexes; nobody nests them deeper.
        for _ in 0..<4 {
            switch try ManifestDocument(json: try read(descriptor), what: what) {
            case .image(let content):
                return (Descriptor(mediaType: content.mediaType ?? descriptor.mediaType, digest: descriptor.digest,
                                   size: descriptor.size), content, source)
            case .index(let index):
                source = source ?? descriptor.digest
                descriptor = try index.manifest(for: platform, what: what)
            }
        }
        throw .invalidDocument(what: what, reason: "indexes inside indexes, more than 4 deep")
    }
}
