import OCI

extension ImageStore {
    /// Puts an image of the store into a registry. What is there already, in this or another repository of it that the image
    /// also has a name in, is not sent again.
    ///
    /// - Parameters:
    ///   - reference: where to. A digest in it must be the image's manifest's.
    ///   - progress: called from several tasks at the same time.
    public func push(
        _ image: StoredImage, to reference: ImageReference, options: RegistryOptions,
        progress: @escaping @Sendable (TransferProgress) -> Void = { _ in }
    ) async throws(RegistryError) {
        if let digest = reference.digest, digest != image.manifest.digest {
            throw .image(.digestMismatch(what: "\(reference.familiar): manifest", expected: digest, found: image.manifest.digest))
        }
        let registry = try RegistryName(reference.registry)
        // Where the registry may have the blobs from.
        var sources: [String] = []
        for name in image.names where name.registry == reference.registry && name.repository != reference.repository {
            if !sources.contains(name.repository) { sources.append(name.repository) }
        }
        let candidates = sources
        try await RegistryClient.with(registry, options) { client throws(RegistryError) in
            let title = reference.familiar
            progress(.resolved(manifest: image.manifest, blobs: image.content.blobs))
            try await concurrently(image.content.blobs, limit: options.parallelTransfers) { blob throws(RegistryError) in
                try await client.upload(blob, of: self, to: reference, from: candidates, progress: progress)
            }
            let manifest: [UInt8]
            do throws(ImageError) {
                manifest = try await blocking { () throws(ImageError) in
                    try readBlob(image.manifest, limit: ImageLimits.manifest, image: title)
                }
            } catch {
                throw .image(error)
            }
            try await client.put(manifest, as: image.manifest, to: reference)
        }
    }
}
