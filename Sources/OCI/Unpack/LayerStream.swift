import LinuxSystem

/// The tar of a layer, piece by piece: one thread reads and decompresses ahead, the caller's takes the pieces and hashes them.
///
/// Both take about as long, so that two processors unpack an image in half the time.
final class LayerStream: @unchecked Sendable {
    // Sound: what both threads touch is behind the condition's mutex; a buffer belongs to the thread that took it out of a list.
    private let condition = Condition()
    private var free: [UnsafeMutableRawBufferPointer]
    private var full: [Piece] = []
    private var failure: LayerFailure?
    private var isAtEnd = false
    private var isCancelled = false
    /// Bytes of the blob that have been read.
    private var consumed: UInt64 = 0

    // The caller's thread only.
    private var current: UnsafeMutableRawBufferPointer?
    private var hasher: ContentHasher
    private(set) var count: UInt64 = 0

    private struct Piece {
        let buffer: UnsafeMutableRawBufferPointer
        let count: Int
    }

    private static let bufferSize = 1 << 18
    private static let bufferCount = 8

    /// Begins to read. The thread ends with the stream's end, at a failure or after `cancel`.
    init(_ blob: Blob, algorithm: Digest.Algorithm) throws(LayerFailure) {
        hasher = ContentHasher(algorithm)
        free = (0..<Self.bufferCount).map { _ in .allocate(byteCount: Self.bufferSize, alignment: 16) }
        do throws(Errno) {
            // The thread keeps this object, and thus its buffers, for as long as it runs.
            _ = try Thread(name: "layer") { self.produce(blob) }
        } catch {
            throw .image(.file(path: "a thread for unpacking", error))
        }
    }

    deinit {
        for buffer in free { buffer.deallocate() }
        for piece in full { piece.buffer.deallocate() }
        current?.deallocate()
    }

    /// The next bytes, valid until the next call; nil at the end. The caller's thread only.
    func next() throws(LayerFailure) -> UnsafeRawBufferPointer? {
        let result = condition.withLock { () -> Result<Piece?, LayerFailure> in
            if let buffer = current {
                free.append(buffer)
                current = nil
                condition.signal()
            }
            while full.isEmpty, failure == nil, !isAtEnd { condition.wait() }
            if !full.isEmpty { return .success(full.removeFirst()) }
            if let failure { return .failure(failure) }
            return .success(nil)
        }
        guard let piece = try result.get() else { return nil }
        current = piece.buffer
        let bytes = UnsafeRawBufferPointer(rebasing: piece.buffer[..<piece.count])
        hasher.update(bytes)
        count += UInt64(piece.count)
        return bytes
    }

    /// Of everything that `next` has given.
    func digest() -> Digest { hasher.digest() }

    /// Bytes of the compressed blob that are read, for progress.
    var consumedBytes: UInt64 { condition.withLock { consumed } }

    /// The reader stops; no piece follows.
    func cancel() {
        condition.withLock {
            isCancelled = true
            condition.broadcast()
        }
    }

    private func produce(_ blob: Blob) {
        var decompressor = Decompressor(blob)
        while let buffer = takeBuffer() {
            do throws(LayerFailure) {
                let count = try decompressor.read(into: buffer)
                let offset = decompressor.offset
                condition.withLock {
                    consumed = offset
                    if count > 0 { full.append(Piece(buffer: buffer, count: count)) } else { free.append(buffer) }
                    if count < buffer.count { isAtEnd = true }
                    condition.signal()
                }
                if count < buffer.count { return }
            } catch {
                condition.withLock {
                    free.append(buffer)
                    failure = error
                    condition.signal()
                }
                return
            }
        }
    }

    private func takeBuffer() -> UnsafeMutableRawBufferPointer? {
        condition.withLock {
            while free.isEmpty, !isCancelled { condition.wait() }
            return isCancelled ? nil : free.removeLast()
        }
    }
}
