import FoundationEssentials
import NIOCore
import NIOHTTP1
import OCI

extension RegistryClient {
    /// Fetches the manifest or index that a reference means.
    ///
    /// - Parameter descriptor: what an index says about it; then it is fetched by its digest, and is refused when size or
    ///   digest are others. Without it the reference's digest is checked, and the one that the registry gives.
    public func manifest(
        _ reference: ImageReference, descriptor: Descriptor? = nil,
        onDelay: (RegistryError, Duration) -> Void = { _, _ in }
    ) async throws(RegistryError) -> FetchedManifest {
        let wanted = descriptor?.digest ?? reference.digest
        let identifier = wanted?.description ?? reference.identifier
        let title = reference.familiar
        if let descriptor, descriptor.size > ImageLimits.manifest {
            throw .image(.tooLarge(what: "\(title): manifest", found: descriptor.size, limit: ImageLimits.manifest))
        }
        let request = RegistryRequest(
            target: .path("/v2/\(reference.repository)/manifests/\(identifier)"),
            headers: [("Accept", MediaType.manifests.joined(separator: ", "))],
            scopes: [TokenScope(repository: reference.repository, access: .pull)], what: title)
        let (bytes, headers) = try await session.retrying(onDelay: onDelay) { () async throws(AttemptFailure) in
            let response = try await session.exchange(request)
            switch response.http.status.code {
            case 200: break
            case 404: throw .final(.noSuchImage(reference))
            default: throw .answer(response.http, try await session.body(response.http, from: response.origin), what: title)
            }
            let bytes = try await session.transport.collect(
                response.http, limit: Int(ImageLimits.manifest), from: response.origin, what: "\(title): manifest")
            return (bytes, response.http.headers)
        }
        let claimed = headers.first(name: "Docker-Content-Digest").flatMap { try? Digest($0) }
        do throws(ImageError) {
            return try Self.checked(bytes, type: headers.first(name: "Content-Type"), descriptor, wanted: wanted ?? claimed, title)
        } catch {
            throw .image(error)
        }
    }

    /// What arrived, if it is what was asked for.
    private static func checked(
        _ bytes: [UInt8], type: String?, _ descriptor: Descriptor?, wanted: Digest?, _ title: String
    ) throws(ImageError) -> FetchedManifest {
        let what = "\(title): manifest"
        if let descriptor, descriptor.size != UInt64(bytes.count) {
            throw .sizeMismatch(what: what, expected: descriptor.size, found: UInt64(bytes.count))
        }
        let found = Digest(of: bytes, wanted?.algorithm ?? .sha256)
        if let wanted, wanted != found { throw .digestMismatch(what: what, expected: wanted, found: found) }
        let document = try ManifestDocument(json: bytes, what: what)
        let inside: String?
        let fallback: String
        switch document {
        case .image(let manifest): (inside, fallback) = (manifest.mediaType, MediaType.manifest)
        case .index(let index): (inside, fallback) = (index.mediaType, MediaType.index)
        }
        // What is inside tells; a registry's header may have parameters, or be any text.
        let isKnown = { (type: String) in MediaType.manifests.contains(type) }
        let served = type?.split(separator: ";").first.map { String($0).trimmed }.flatMap { isKnown($0) ? $0 : nil }
        let own = inside.flatMap { isKnown($0) ? $0 : nil }
        return FetchedManifest(
            descriptor: Descriptor(mediaType: own ?? served ?? fallback, digest: found, size: UInt64(bytes.count)),
            bytes: bytes, document: document)
    }

    /// The image for a platform: the manifest that the reference means, or that of an index.
    ///
    /// - Returns: the image's manifest, and the digest of the index that the reference means, if it means one.
    public func image(
        _ reference: ImageReference, platform: Platform, onDelay: (RegistryError, Duration) -> Void = { _, _ in }
    ) async throws(RegistryError) -> (manifest: FetchedManifest, content: ImageManifest, index: Digest?) {
        var fetched = try await manifest(reference, onDelay: onDelay)
        var index: Digest?
        // Indexes may point to indexes; how deep is ours to say.
        for _ in 0..<4 {
            switch fetched.document {
            case .image(let content): return (fetched, content, index)
            case .index(let found):
                index = index ?? fetched.descriptor.digest
                let chosen: Descriptor
                do throws(ImageError) {
                    chosen = try found.manifest(for: platform, what: reference.familiar)
                } catch {
                    throw .image(error)
                }
                fetched = try await manifest(reference, descriptor: chosen, onDelay: onDelay)
            }
        }
        throw .invalidAnswer(what: reference.familiar, reason: "indexes that point to indexes, more than three deep")
    }

    /// Stores a manifest or index in a repository under a tag or its digest. What it points to must be there.
    public func put(_ bytes: [UInt8], as descriptor: Descriptor, to reference: ImageReference) async throws(RegistryError) {
        let title = reference.familiar
        let buffer = ByteBuffer(bytes: bytes)
        let request = RegistryRequest(
            method: .PUT, target: .path("/v2/\(reference.repository)/manifests/\(reference.identifier)"),
            headers: [("Content-Type", descriptor.mediaType)], body: { .bytes(buffer) },
            scopes: [TokenScope(repository: reference.repository, access: .push)], what: title)
        try await session.retrying { () async throws(AttemptFailure) in
            let response = try await session.exchange(request)
            let body = try await session.body(response.http, from: response.origin)
            guard response.http.status == .created || response.http.status == .ok else {
                throw .answer(response.http, body, what: title)
            }
            if let stored = response.http.headers.first(name: "Docker-Content-Digest").flatMap({ try? Digest($0) }),
               stored.algorithm == descriptor.digest.algorithm, stored != descriptor.digest {
                throw .final(.image(.digestMismatch(what: "\(title): manifest", expected: descriptor.digest, found: stored)))
            }
        }
    }
}
