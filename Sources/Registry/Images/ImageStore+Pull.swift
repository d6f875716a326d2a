import OCI

/// What of an image is pulled, and when.
public struct PullOptions: Sendable {
    public var platform = Platform.host
    public var policy = PullPolicy.always
    public var registry: RegistryOptions

    public init(registry: RegistryOptions) {
        self.registry = registry
    }
}

extension ImageStore {
    /// Brings an image of a registry into the store, and gives it the reference as its name.
    ///
    /// Every byte is checked against the digests of the manifest, and the manifest against the reference's digest or the one
    /// that the registry gives. What an attempt has fetched when it fails is used by the next one.
    ///
    /// - Parameter progress: called from several tasks at the same time.
    public func pull(
        _ reference: ImageReference, options: PullOptions, progress: @escaping @Sendable (TransferProgress) -> Void = { _ in }
    ) async throws(RegistryError) -> StoredImage {
        let stored = options.policy == .always ? nil : try await present(reference, platform: options.platform)
        switch options.policy {
        case .missing, .never:
            if let stored { return stored }
            if options.policy == .never { throw .image(.noSuchImage(reference.familiar)) }
        case .always, .newer: break
        }
        do throws(RegistryError) {
            return try await RegistryClient.with(RegistryName(reference.registry), options.registry) {
                client throws(RegistryError) in
                let puller = ImagePuller(
                    client: client, store: self, reference: reference, platform: options.platform, progress: progress)
                return try await puller.run()
            }
        } catch {
            if let stored, error.isUnreachable { return stored }
            throw error
        }
    }

    private func present(_ reference: ImageReference, platform: Platform) async throws(RegistryError) -> StoredImage? {
        do throws(ImageError) {
            let image = try await blocking { () throws(ImageError) in try resolve(reference) }
            return image.flatMap { platform.accepts($0.configuration.platform) ? $0 : nil }
        } catch {
            // Damaged: it is pulled anew.
            return nil
        }
    }
}

extension RegistryError {
    /// Whether nobody has answered.
    var isUnreachable: Bool {
        switch self {
        case .unreachable, .timedOut, .tls: true
        default: false
        }
    }
}

/// One pull.
struct ImagePuller: Sendable {
    let client: RegistryClient
    let store: ImageStore
    let reference: ImageReference
    let platform: Platform
    let progress: @Sendable (TransferProgress) -> Void

    func run() async throws(RegistryError) -> StoredImage {
        let (manifest, content, index) = try await client.image(reference, platform: platform, onDelay: report)
        let title = reference.familiar
        progress(.resolved(manifest: manifest.descriptor, blobs: content.blobs))
        let transfer = store.beginTransfer()
        // The configuration first: what is for another platform need not be fetched.
        try await fetch(content.config, transfer)
        let configuration = try await image { () throws(ImageError) in try store.readConfiguration(content.config, image: title) }
        guard platform.accepts(configuration.platform) else {
            throw .image(.noSuchPlatform(image: title, wanted: platform, available: ["\(configuration.platform)"]))
        }
        try await fetch(Array(content.blobs.dropFirst()), transfer)
        // By digest an image has no tag, whatever stood before the digest.
        let name = reference.digest.map { reference.pinned(to: $0) } ?? reference
        return try await image { () throws(ImageError) in
            try transfer.write(manifest.bytes, as: manifest.descriptor)
            return try transfer.commit(manifest.descriptor, as: name, source: index)
        }
    }

    /// Fetches blobs, several at the same time, in their order. The first that fails ends the others.
    private func fetch(_ blobs: [Descriptor], _ transfer: ImageTransfer) async throws(RegistryError) {
        try await concurrently(blobs, limit: client.options.parallelTransfers) { blob throws(RegistryError) in
            try await fetch(blob, transfer)
        }
    }

    private func fetch(_ blob: Descriptor, _ transfer: ImageTransfer) async throws(RegistryError) {
        let what = "\(reference.familiar): blob \(blob.digest.short)"
        // Bytes of an earlier attempt may be wrong: then once more, without them.
        for isLast in [false, true] {
            let writer = try await image { () throws(ImageError) in try transfer.writer(for: blob) }
            guard let writer else {
                progress(.blob(blob.digest, .present))
                return
            }
            let resumed = writer.offset > 0
            if resumed { progress(.blob(blob.digest, .transferred(writer.offset))) }
            try await client.download(
                to: writer, from: reference, what: what,
                progress: { progress(.blob(blob.digest, .transferred($0))) }, onDelay: report)
            do throws(ImageError) {
                try await blocking { () throws(ImageError) in try writer.finish() }
            } catch {
                guard case .digestMismatch(_, let expected, let found) = error else { throw .image(error) }
                if resumed && !isLast { continue }
                throw .image(.digestMismatch(what: what, expected: expected, found: found))
            }
            progress(.blob(blob.digest, .finished))
            return
        }
    }

    private func report(_ error: RegistryError, _ delay: Duration) {
        progress(.retrying(error, after: delay))
    }

    private func image<Result: Sendable>(
        _ body: @escaping @Sendable () throws(ImageError) -> Result
    ) async throws(RegistryError) -> Result {
        do throws(ImageError) {
            return try await blocking(body)
        } catch {
            throw .image(error)
        }
    }
}

/// Works on items in their order, on at most `limit` of them at the same time. The first error ends the others and is thrown.
func concurrently<Item: Sendable>(
    _ items: [Item], limit: Int, _ work: @escaping @Sendable (Item) async throws(RegistryError) -> Void
) async throws(RegistryError) {
    do {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var rest = items.makeIterator()
            for _ in 0..<max(limit, 1) {
                guard let item = rest.next() else { break }
                group.addTask { try await work(item) }
            }
            while try await group.next() != nil {
                if let item = rest.next() { group.addTask { try await work(item) } }
            }
        }
    } catch {
        throw error as? RegistryError ?? .cancelled
    }
}
