import LinuxSystem

/// The key of `index.json` entries that holds the digest of the index which the registry served.
private let sourceAnnotation = "svmm.source.digest"

extension ImageStore {
    /// All images, those with names first, by name. Images whose documents cannot be read are left out; `onDamage` hears why.
    public func list(onDamage: (ImageError) -> Void = { _ in }) throws(ImageError) -> [StoredImage] {
        let entries = try readIndex()
        var seen: Set<Digest> = []
        var images: [StoredImage] = []
        for entry in entries where seen.insert(entry.digest).inserted {
            do throws(ImageError) {
                images.append(try image(entry.digest, in: entries))
            } catch {
                onDamage(error)
            }
        }
        return images.sorted { left, right in
            switch (left.names.first, right.names.first) {
            case (let left?, let right?): left.description < right.description
            case (nil, nil): left.id.hex < right.id.hex
            case (let left, _): left != nil
            }
        }
    }

    /// The image that a text means: a name, `NAME@DIGEST`, or the first four or more digits of an id or of a manifest's
    /// digest, with or without `sha256:`. nil when there is none.
    public func resolve(_ text: String) throws(ImageError) -> StoredImage? {
        let entries = try readIndex()
        if let reference = try? ImageReference(text), let entry = entries.first(where: { $0.means(reference) }) {
            return try image(entry.digest, in: entries)
        }
        let prefix = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        guard prefix.utf8.count >= 4, prefix.utf8.allSatisfy(Digest.isDigit) else { return nil }
        var found: [StoredImage] = []
        for image in try list() {
            let digests = [image.id] + image.digests
            if digests.contains(where: { $0.hex.hasPrefix(prefix) }) { found.append(image) }
        }
        guard Set(found.map(\.id)).count <= 1 else { throw .ambiguousImage(text, count: found.count) }
        return found.first
    }

    /// The image with a name; nil when there is none.
    public func resolve(_ reference: ImageReference) throws(ImageError) -> StoredImage? {
        let entries = try readIndex()
        guard let entry = entries.first(where: { $0.means(reference) }) else { return nil }
        return try image(entry.digest, in: entries)
    }

    /// The digest of the manifest that a name stands for, whether that is there and whole or not; nil when there is no such name.
    public func manifestDigest(of reference: ImageReference) throws(ImageError) -> Digest? {
        try readIndex().first { $0.means(reference) }?.digest
    }

    /// Gives an image another name, taken from the image that has it. Throws `.invalidReference` for one with a digest that is
    /// none of the image's.
    public func tag(_ image: StoredImage, as name: ImageReference) throws(ImageError) {
        try record(image.manifest, name: name, source: nil)
    }

    /// Takes a name away, also of an image that is damaged. With its last name the image is no longer one of the store's:
    /// `collectGarbage` removes its blobs. Returns false when there is no such name.
    @discardableResult
    public func remove(_ reference: ImageReference) throws(ImageError) -> Bool {
        try change { entries in
            let before = entries.count
            entries.removeAll { $0.name == reference.description }
            return entries.count < before
        }
    }

    /// Takes an image out of the store with all its names. Returns false when it is not there.
    @discardableResult
    public func remove(_ image: StoredImage) throws(ImageError) -> Bool {
        try change { entries in
            let before = entries.count
            entries.removeAll { $0.digest == image.manifest.digest }
            return entries.count < before
        }
    }

    func image(manifest: Digest) throws(ImageError) -> StoredImage {
        try image(manifest, in: try readIndex())
    }

    private func image(_ manifest: Digest, in entries: [Descriptor]) throws(ImageError) -> StoredImage {
        let own = entries.filter { $0.digest == manifest }
        let names = own.compactMap { $0.name.flatMap { try? ImageReference($0) } }.sorted { $0.description < $1.description }
        let title = names.first?.familiar ?? manifest.description
        guard let first = own.first else { throw .noSuchImage(title) }
        var digests = [manifest]
        for digest in own.compactMap(\.source) where !digests.contains(digest) { digests.append(digest) }
        let content = try readManifest(first, image: title)
        return StoredImage(names: names, digests: digests,
                           manifest: Descriptor(mediaType: first.mediaType, digest: first.digest, size: first.size),
                           content: content, configuration: try readConfiguration(content.config, image: title))
    }

    /// Puts an image into the index, under a name or without one.
    func record(_ manifest: Descriptor, name: ImageReference?, source: Digest?) throws(ImageError) {
        try change { entries throws(ImageError) in
            let known = entries.filter { $0.digest == manifest.digest }.compactMap(\.source)
            try Self.check(name, means: [manifest.digest] + [source].compactMap(\.self) + known)
            var entry = Descriptor(mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.size)
            var annotations: [String: String] = [:]
            if let name {
                annotations[Annotation.referenceName] = name.description
                // Whoever had the name stays, without it.
                for index in entries.indices where entries[index].name == name.description {
                    entries[index].annotations?[Annotation.referenceName] = nil
                }
            }
            if let source = source ?? known.last, source != manifest.digest {
                annotations[sourceAnnotation] = source.description
            }
            entry.annotations = annotations.isEmpty ? nil : annotations
            if name != nil || !entries.contains(where: { $0.digest == manifest.digest }) {
                entries.append(entry)
            } else if let source, source != manifest.digest {
                for index in entries.indices where entries[index].digest == manifest.digest {
                    entries[index].annotations = (entries[index].annotations ?? [:]).merging(
                        [sourceAnnotation: source.description]) { _, new in new }
                }
            }
            // An entry without a name is there for images that have none.
            let named = Set(entries.filter { $0.name != nil }.map(\.digest))
            var unnamed: Set<Digest> = []
            entries.removeAll { entry in
                entry.name == nil && (named.contains(entry.digest) || !unnamed.insert(entry.digest).inserted)
            }
        }
    }

    /// Refuses a name with a digest that is none of an image's: who pins a digest would get another image by it.
    static func check(_ name: ImageReference?, means digests: [Digest]) throws(ImageError) {
        guard let name, let wanted = name.digest, !digests.contains(wanted) else { return }
        throw .invalidReference(name.familiar, reason: """
            the image has the digest \(digests[0]), expected that in the name, or a name without a digest
            """)
    }

    private func change<Result>(_ body: (inout [Descriptor]) throws(ImageError) -> Result) throws(ImageError) -> Result {
        try whileLocked { () throws(ImageError) in
            let before = try readIndex()
            var entries = before
            let result = try body(&entries)
            if entries != before { try writeIndex(entries) }
            return result
        }
    }

    /// The entries of index.json.
    func readIndex() throws(ImageError) -> [Descriptor] {
        guard let bytes = contents(ofSmallFile: indexPath, limit: Int(ImageLimits.storeIndex) + 1) else {
            throw .file(path: indexPath, .noEntry)
        }
        let index = try decodeJSON(ImageIndex.self, from: bytes, limit: ImageLimits.storeIndex, what: indexPath)
        return index.manifests
    }

    /// Replaces index.json. The store's lock is held.
    func writeIndex(_ entries: [Descriptor]) throws(ImageError) {
        let bytes = try encodeJSON(ImageIndex(manifests: entries))
        guard bytes.count <= ImageLimits.storeIndex else {
            throw .tooLarge(what: indexPath, found: UInt64(bytes.count), limit: ImageLimits.storeIndex)
        }
        try replace(indexPath, with: bytes)
    }
}

extension Descriptor {
    /// In index.json: the image's full name.
    fileprivate var name: String? { annotations?[Annotation.referenceName] }
    fileprivate var source: Digest? { annotations?[sourceAnnotation].flatMap { try? Digest($0) } }

    /// Whether the reference names this entry of index.json: by its full name, or by repository and digest. What digest a name
    /// claims counts for nothing: older versions took names from archives as they were.
    fileprivate func means(_ reference: ImageReference) -> Bool {
        guard let name else { return false }
        guard let wanted = reference.digest else { return name == reference.description }
        guard wanted == digest || wanted == source, let own = try? ImageReference(name) else { return false }
        return own.name == reference.name
    }
}
