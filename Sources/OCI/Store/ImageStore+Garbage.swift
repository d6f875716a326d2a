import LinuxSystem

/// What a collection removed.
public struct CollectedGarbage: Sendable, Equatable {
    public var blobs = 0
    public var rootImages = 0
    /// Bytes of disk that are free now.
    public var bytes: UInt64 = 0
}

/// What the store takes of the disk, in bytes.
public struct StoreUsage: Sendable, Equatable {
    public var blobs: UInt64 = 0
    public var partials: UInt64 = 0
    /// Root images and templates, without their holes.
    public var roots: UInt64 = 0

    public var total: UInt64 { blobs + partials + roots }
}

extension ImageStore {
    /// Removes blobs that no image has, unfinished downloads, root images of no image, and templates: files with names as the
    /// store gives them. Whatever else lies in its directories is somebody's, and stays.
    ///
    /// What another process has open stays: transfers, root images that `RootImage` holds. A running container's root image may
    /// lose its name, not its contents; give those in `roots` so that it can start again.
    ///
    /// - Parameters:
    ///   - manifests: digests of manifests whose images containers still want, although they have no name.
    ///   - roots: of containers.
    @discardableResult
    public func collectGarbage(
        keeping manifests: Set<Digest> = [], roots: Set<RootImage.Identifier> = []
    ) throws(ImageError) -> CollectedGarbage {
        try whileLocked { () throws(ImageError) in
            var blobs: Set<Digest> = []
            var roots = roots
            for entry in try readIndex() { try mark(entry.digest, size: entry.size, &blobs, &roots) }
            for digest in manifests where !blobs.contains(digest) { try mark(digest, size: nil, &blobs, &roots) }

            var collected = CollectedGarbage()
            for algorithm in Digest.Algorithm.allCases {
                let directory = "\(images)/blobs/\(algorithm.rawValue)"
                for name in try Self.names(directory) {
                    guard let digest = try? Digest("\(algorithm.rawValue):\(name)"), !blobs.contains(digest) else { continue }
                    let bytes = try LockedFile.removeUnused("\(directory)/\(name)")
                    collected.blobs += bytes > 0 ? 1 : 0
                    collected.bytes += bytes
                }
            }
            for name in try Self.names(partials) where Self.isPartial(name) {
                collected.bytes += try LockedFile.removeUnused("\(partials)/\(name)")
            }
            for name in try Self.names(self.roots) where Self.isRoot(name) {
                if let identifier = RootImage.Identifier(fileName: name), roots.contains(identifier) { continue }
                let bytes = try LockedFile.removeUnused("\(self.roots)/\(name)")
                collected.rootImages += bytes > 0 && RootImage.Identifier(fileName: name) != nil ? 1 : 0
                collected.bytes += bytes
            }
            return collected
        }
    }

    /// Removes those of the blobs that no image in the index has and nobody has open.
    func removeUnreferenced(_ candidates: Set<Digest>) throws(ImageError) {
        guard !candidates.isEmpty else { return }
        try whileLocked { () throws(ImageError) in
            var blobs: Set<Digest> = []
            var roots: Set<RootImage.Identifier> = []
            for entry in try readIndex() { try mark(entry.digest, size: entry.size, &blobs, &roots) }
            for digest in candidates where !blobs.contains(digest) { _ = try LockedFile.removeUnused(path(of: digest)) }
        }
    }

    /// Adds what an image consists of. One whose documents are damaged keeps what can still be known of it.
    private func mark(
        _ manifest: Digest, size: UInt64?, _ blobs: inout Set<Digest>, _ roots: inout Set<RootImage.Identifier>
    ) throws(ImageError) {
        blobs.insert(manifest)
        var size = size
        if size == nil { size = try openBlob(manifest)?.size }
        guard let size else { return }
        let descriptor = Descriptor(mediaType: MediaType.manifest, digest: manifest, size: size)
        guard let content = try? readManifest(descriptor, image: manifest.description) else { return }
        blobs.formUnion(content.blobs.map(\.digest))
        guard let configuration = try? readConfiguration(content.config, image: manifest.description) else { return }
        roots.insert(RootImage.Identifier(configuration))
    }

    /// What the store takes of the disk.
    public func usage() throws(ImageError) -> StoreUsage {
        func sum(_ directory: String) throws(ImageError) -> UInt64 {
            var bytes: UInt64 = 0
            for name in try Self.names(directory) {
                // What is gone since the directory was read takes nothing.
                guard let attributes = try? fileAttributes(at: "\(directory)/\(name)") else { continue }
                bytes += attributes.blocks * 512
            }
            return bytes
        }
        var usage = StoreUsage()
        for algorithm in Digest.Algorithm.allCases {
            usage.blobs += try sum("\(images)/blobs/\(algorithm.rawValue)")
        }
        usage.partials = try sum(partials)
        usage.roots = try sum(roots)
        return usage
    }
}
