import LinuxSystem

/// The tar of a layer, piece by piece: one thread reads and decompresses ahead, a second one hashes, the caller's takes the pieces.
///
/// Each of the three takes a good part of the time, and which one takes the most depends on the layer; the kernel finds out.
final class LayerStream: @unchecked Sendable {
    // Sound: what several threads touch is behind the condition's mutex; a buffer belongs to the thread that took it out of a list.
    private let condition = Condition()
    private var free: [UnsafeMutableRawBufferPointer]
    /// Pieces that are to be hashed, and those that are; in order.
    private var read: [Piece] = []
    private var hashed: [Piece] = []
    /// How reading ended, and hashing.
    private var readEnd: End?
    private var end: End?
    private var isCancelled = false
    /// Bytes of the blob that have been read.
    private var consumed: UInt64 = 0

    /// What the caller looks at. Its thread only.
    private var current: UnsafeMutableRawBufferPointer?

    private struct Piece {
        let buffer: UnsafeMutableRawBufferPointer
        let count: Int
    }

    private enum End {
        case complete(Digest?)
        case failed(LayerFailure)
    }

    private static let bufferSize = 1 << 18
    private static let bufferCount = 10

    /// Begins to read. The threads end with the stream's end, at a failure or after `cancel`.
    init(_ blob: Blob, algorithm: Digest.Algorithm) throws(LayerFailure) {
        free = (0..<Self.bufferCount).map { _ in .allocate(byteCount: Self.bufferSize, alignment: 16) }
        do throws(Errno) {
            // The threads keep this object, and thus its buffers, for as long as they run.
            _ = try Thread(name: "layer-read") { self.readAll(blob) }
            do throws(Errno) {
                _ = try Thread(name: "layer-hash") { self.hashAll(algorithm) }
            } catch {
                cancel()
                throw error
            }
        } catch {
            throw .image(.file(path: "a thread for unpacking", error))
        }
    }

    deinit {
        for buffer in free { buffer.deallocate() }
        for piece in read + hashed { piece.buffer.deallocate() }
        current?.deallocate()
    }

    /// The next bytes, valid until the next call; nil at the end. The caller's thread only.
    func next() throws(LayerFailure) -> UnsafeRawBufferPointer? {
        let result = condition.withLock { () -> Result<Piece?, LayerFailure> in
            if let buffer = current {
                free.append(buffer)
                current = nil
                condition.broadcast()
            }
            while hashed.isEmpty, end == nil { condition.wait() }
            if !hashed.isEmpty { return .success(hashed.removeFirst()) }
            if case .failed(let failure) = end { return .failure(failure) }
            return .success(nil)
        }
        guard let piece = try result.get() else { return nil }
        current = piece.buffer
        return UnsafeRawBufferPointer(rebasing: piece.buffer[..<piece.count])
    }

    /// Of everything, when `next` has given all of it; nil before.
    var digest: Digest? {
        condition.withLock {
            if case .complete(let digest) = end { digest } else { nil }
        }
    }

    /// Bytes of the compressed blob that are read, for progress.
    var consumedBytes: UInt64 { condition.withLock { consumed } }

    /// The threads stop; no piece follows.
    func cancel() {
        condition.withLock {
            isCancelled = true
            condition.broadcast()
        }
    }

    private func readAll(_ blob: Blob) {
        var decompressor = Decompressor(blob)
        while let buffer = takeBuffer() {
            var count = 0
            var failure: LayerFailure?
            do throws(LayerFailure) {
                count = try decompressor.read(into: buffer)
            } catch {
                failure = error
            }
            let isLast = failure != nil || count < buffer.count
            let offset = decompressor.offset
            condition.withLock {
                consumed = offset
                if count > 0 { read.append(Piece(buffer: buffer, count: count)) } else { free.append(buffer) }
                if isLast { readEnd = failure.map { .failed($0) } ?? .complete(nil) }
                condition.broadcast()
            }
            if isLast { return }
        }
    }

    private func takeBuffer() -> UnsafeMutableRawBufferPointer? {
        condition.withLock {
            while free.isEmpty, !isCancelled { condition.wait() }
            return isCancelled ? nil : free.removeLast()
        }
    }

    private func hashAll(_ algorithm: Digest.Algorithm) {
        var hasher = ContentHasher(algorithm)
        while let piece = takePiece() {
            hasher.update(UnsafeRawBufferPointer(rebasing: piece.buffer[..<piece.count]))
            condition.withLock {
                hashed.append(piece)
                condition.broadcast()
            }
        }
        let digest = hasher.digest()
        condition.withLock {
            if case .failed(let failure) = readEnd { end = .failed(failure) } else { end = .complete(digest) }
            condition.broadcast()
        }
    }

    /// The next piece to hash; nil at the end, or when there is no more to do.
    private func takePiece() -> Piece? {
        condition.withLock {
            while read.isEmpty, readEnd == nil, !isCancelled { condition.wait() }
            return isCancelled || read.isEmpty ? nil : read.removeFirst()
        }
    }
}
