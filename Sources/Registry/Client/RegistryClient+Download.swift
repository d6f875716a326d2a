import FoundationEssentials
import NIOCore
import NIOHTTP1
import OCI

extension RegistryClient {
    /// Fetches what a writer still misses of its blob. What has come of it when an attempt breaks off is not fetched again.
    ///
    /// - Parameters:
    ///   - what: begins the text of errors.
    ///   - progress: called for each piece with the bytes that are there.
    func download(
        to writer: BlobWriter, from reference: ImageReference, what: String, progress: (UInt64) -> Void,
        onDelay: (RegistryError, Duration) -> Void
    ) async throws(RegistryError) {
        try await session.retrying(progress: { writer.offset }, onDelay: onDelay) { () async throws(AttemptFailure) in
            guard writer.offset < writer.descriptor.size else { return }
            try await receive(to: writer, from: reference, what: what, progress: progress)
        }
    }

    private func receive(
        to writer: BlobWriter, from reference: ImageReference, what: String, progress: (UInt64) -> Void
    ) async throws(AttemptFailure) {
        let (offset, size) = (writer.offset, writer.descriptor.size)
        var request = RegistryRequest(
            target: .path("/v2/\(reference.repository)/blobs/\(writer.descriptor.digest)"),
            scopes: [TokenScope(repository: reference.repository, access: .pull)], what: what)
        if offset > 0 { request.headers.append(("Range", "bytes=\(offset)-")) }
        let response = try await session.exchange(request)
        let headers = response.http.headers
        // Bytes of the answer that are there already.
        var skipped: UInt64 = 0
        switch response.http.status.code {
        case 200:
            skipped = offset
            try Self.check(headers, length: size, what: what)
        case 206 where ContentRange(headers.first(name: "Content-Range"))?.continues(at: offset, of: size) == true:
            break
        case 206, 416:
            // It does not know the blob as long as we do, or at all: from the beginning then.
            try Self.image { () throws(ImageError) in try writer.restart() }
            let place = response.origin.description
            throw .transport(TransportFailure(.broken, place, "the server cannot continue at byte \(offset)"))
        case 404:
            throw .final(.failed(what: what, status: 404, reason: "the registry has the manifest, but not this blob"))
        default:
            throw .answer(response.http, try await session.body(response.http, from: response.origin), what: what)
        }
        try await receive(response, to: writer, skipping: skipped, progress: progress)
    }

    private func receive(
        _ response: RegistryResponse, to writer: BlobWriter, skipping: UInt64, progress: (UInt64) -> Void
    ) async throws(AttemptFailure) {
        var rest = skipping
        var watch = SpeedWatch(options.timeouts)
        let place = response.origin.description
        do {
            for try await var buffer in response.http.body {
                guard watch.note(buffer.readableBytes) else {
                    throw TransportFailure(.timedOut, place, "the transfer is too slow")
                }
                let known = min(rest, UInt64(buffer.readableBytes))
                buffer.moveReaderIndex(forwardBy: Int(known))
                rest -= known
                guard buffer.readableBytes > 0 else { continue }
                try buffer.withUnsafeReadableBytes { try writer.append($0) }
                progress(writer.offset)
            }
        } catch let error as ImageError {
            throw .final(.image(error))
        } catch {
            throw .transport(TransportFailure(error, at: response.origin))
        }
        guard writer.offset == writer.descriptor.size else {
            let reason = "the answer ended at byte \(writer.offset) of \(writer.descriptor.size)"
            throw .transport(TransportFailure(.broken, place, reason))
        }
    }

    /// A length that is not the blob's is known before it arrives.
    private static func check(_ headers: HTTPHeaders, length: UInt64, what: String) throws(AttemptFailure) {
        guard let text = headers.first(name: "Content-Length"), let found = UInt64(text), found != length else { return }
        throw .final(.image(.sizeMismatch(what: what, expected: length, found: found)))
    }

    static func image<Result>(_ body: () throws(ImageError) -> Result) throws(AttemptFailure) -> Result {
        do throws(ImageError) {
            return try body()
        } catch {
            throw .final(.image(error))
        }
    }
}

/// A Content-Range header, `bytes FIRST-LAST/SIZE`. Source: RFC 9110, section 14.4.
struct ContentRange: Equatable {
    let first: UInt64
    let last: UInt64
    /// nil for `*`.
    let size: UInt64?

    init?(_ header: String?) {
        guard let header, header.hasPrefix("bytes ") else { return nil }
        let parts = header.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else { return nil }
        if parts[1] == "*" {
            size = nil
        } else {
            guard let number = UInt64(parts[1]), last < number else { return nil }
            size = number
        }
        self.first = first
        self.last = last
    }

    /// Whether this is the rest of so many bytes, or a beginning of it.
    func continues(at offset: UInt64, of size: UInt64) -> Bool {
        first == offset && last < size && (self.size == nil || self.size == size)
    }
}
