import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import OCI

extension RegistryClient {
    /// How much goes into one request where a registry does not take a blob as a whole.
    static let chunkSize = 16 << 20

    /// Puts a blob of the store into a repository, unless it is there.
    ///
    /// - Parameter sources: other repositories that may have it, from which the registry can take it itself.
    func upload(
        _ blob: Descriptor, of store: ImageStore, to reference: ImageReference, from sources: [String],
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws(RegistryError) {
        let what = "\(reference.familiar): blob \(blob.digest.short)"
        let file: Blob?
        do throws(ImageError) {
            file = try await blocking { () throws(ImageError) in try store.openBlob(blob.digest) }
        } catch {
            throw .image(error)
        }
        guard let file else { throw .image(.incompleteImage(reference.familiar, missing: blob.digest)) }
        guard file.size == blob.size else {
            throw .image(.sizeMismatch(what: what, expected: blob.size, found: file.size))
        }
        let upload = BlobUpload(session: session, blob: file, reference: reference, what: what) { sent in
            progress(.blob(blob.digest, .transferred(sent)))
        }
        let isNew = try await session.retrying(
            onDelay: { progress(.retrying($0, after: $1)) },
            { () async throws(AttemptFailure) in try await upload.run(sources: sources) })
        progress(.blob(blob.digest, isNew ? .finished : .present))
    }
}

/// One blob on its way into a repository. Source: OCI distribution-spec, "Pushing Blobs".
struct BlobUpload: Sendable {
    let session: RegistrySession
    let blob: Blob
    let reference: ImageReference
    let what: String
    /// Called with the bytes that are sent.
    let progress: @Sendable (UInt64) -> Void

    private var path: String { "/v2/\(reference.repository)/blobs/" }
    private var scopes: [TokenScope] { [TokenScope(repository: reference.repository, access: .push)] }

    /// One attempt; false when the blob was there.
    func run(sources: [String]) async throws(AttemptFailure) -> Bool {
        let head = RegistryRequest(method: .HEAD, target: .path("\(path)\(blob.digest)"), scopes: scopes, what: what)
        let found = try await session.exchange(head)
        if found.http.status == .ok { return false }
        var begun: URL?
        for source in sources {
            guard let next = try await begin(mounting: source) else { return false }
            // The registry could not: it may be able to from the next one.
            if let begun { try await cancel(begun) }
            begun = next
        }
        if begun == nil { begun = try await begin(mounting: nil) }
        guard let begun else { return false }
        if try await sendWhole(to: begun) { return true }
        guard let second = try await begin(mounting: nil) else { return true }
        try await sendInChunks(to: second)
        return true
    }

    /// Begins an upload; nil when the registry has taken the blob from another repository instead.
    private func begin(mounting source: String?) async throws(AttemptFailure) -> URL? {
        var request = RegistryRequest(method: .POST, target: .path("\(path)uploads/"), scopes: scopes, what: what)
        if let source {
            request.target = .path("\(path)uploads/?" + formEncoded([("mount", blob.digest.description), ("from", source)]))
            request.scopes.append(TokenScope(repository: source, access: .pull))
        }
        request.headers.append(("Content-Length", "0"))
        let response = try await session.exchange(request)
        let body = try await session.body(response.http, from: response.origin)
        switch response.http.status {
        case .created where source != nil: return nil
        case .accepted: return try location(of: response)
        default: throw .answer(response.http, body, what: what)
        }
    }

    /// Tells the registry that an upload is not gone on with. It finds out by itself, too, some day.
    private func cancel(_ location: URL) async throws(AttemptFailure) {
        let request = RegistryRequest(method: .DELETE, target: .location(location), scopes: scopes, what: what)
        do throws(AttemptFailure) {
            let response = try await session.exchange(request)
            _ = try await session.body(response.http, from: response.origin)
        } catch {
            guard case .transport(let failure) = error, failure.kind == .cancelled else { return }
            throw error
        }
    }

    /// Sends all of it in one request; false when the registry does not take so much at once.
    private func sendWhole(to location: URL) async throws(AttemptFailure) -> Bool {
        let response = try await send(0..<blob.size, .PUT, to: try finishing(location), headers: [])
        let body = try await session.body(response.http, from: response.origin)
        switch response.http.status.code {
        case 201, 204: return true
        case 413: return false
        default: throw .answer(response.http, body, what: what)
        }
    }

    private func sendInChunks(to first: URL) async throws(AttemptFailure) {
        var location = first
        var offset: UInt64 = 0
        while offset < blob.size {
            let end = min(offset + UInt64(RegistryClient.chunkSize), blob.size)
            let range = [(name: "Content-Range", value: "\(offset)-\(end - 1)")]
            let response = try await send(offset..<end, .PATCH, to: location, headers: range)
            let body = try await session.body(response.http, from: response.origin)
            guard response.http.status == .accepted else { throw .answer(response.http, body, what: what) }
            location = try self.location(of: response)
            offset = end
        }
        let response = try await send(0..<0, .PUT, to: try finishing(location), headers: [])
        let body = try await session.body(response.http, from: response.origin)
        guard response.http.status == .created || response.http.status == .noContent else {
            throw .answer(response.http, body, what: what)
        }
    }

    private func send(
        _ range: Range<UInt64>, _ method: HTTPMethod, to location: URL, headers: [(name: String, value: String)]
    ) async throws(AttemptFailure) -> RegistryResponse {
        let (blob, progress) = (blob, progress)
        return try await session.exchange(RegistryRequest(
            method: method, target: .location(location), headers: [("Content-Type", "application/octet-stream")] + headers,
            body: { .stream(BlobPieces(blob: blob, range: range, progress: progress), length: .known(Int64(range.count))) },
            scopes: scopes, what: what))
    }

    private func location(of response: RegistryResponse) throws(AttemptFailure) -> URL {
        let text = response.http.headers.first(name: "Location")
        guard let url = text.flatMap({ RegistrySession.resolve($0, from: response.url) }) else {
            throw .final(.invalidAnswer(what: what, reason: "the registry does not say where to send the blob"))
        }
        return url
    }

    /// The URL that ends the upload: with the digest in its query.
    private func finishing(_ location: URL) throws(AttemptFailure) -> URL {
        let text = location.absoluteString
        let query = (location.query(percentEncoded: true) == nil ? "?" : "&") + formEncoded([("digest", blob.digest.description)])
        guard let url = URL(string: text + query) else {
            throw .final(.invalidAnswer(what: what, reason: "\(quoted(text)) is no place to send the blob to"))
        }
        return url
    }
}

/// The bytes of a blob, read piece by piece as they are sent.
struct BlobPieces: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let blob: Blob
    let range: Range<UInt64>
    let progress: @Sendable (UInt64) -> Void

    private static let pieceSize: UInt64 = 256 << 10

    func makeAsyncIterator() -> Iterator { Iterator(pieces: self, offset: range.lowerBound) }

    struct Iterator: AsyncIteratorProtocol {
        let pieces: BlobPieces
        var offset: UInt64

        mutating func next() async throws -> ByteBuffer? {
            if offset > pieces.range.lowerBound { pieces.progress(offset) }
            let count = Int(Swift.min(pieces.range.upperBound - offset, BlobPieces.pieceSize))
            guard count > 0 else { return nil }
            var buffer = ByteBuffer()
            let (blob, offset) = (pieces.blob, offset)
            let read = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
                try blob.read(into: UnsafeMutableRawBufferPointer(rebasing: space[..<count]), at: offset)
            }
            guard read == count else {
                throw ImageError.sizeMismatch(what: "blob \(blob.digest)", expected: blob.size, found: offset + UInt64(read))
            }
            self.offset += UInt64(count)
            return buffer
        }
    }
}
