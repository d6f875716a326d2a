import LinuxSystem

/// An open blob of the store; it cannot be collected as garbage while this object lives.
public final class Blob: Sendable {
    public let digest: Digest
    public let size: UInt64
    private let locked: LockedFile

    init(_ digest: Digest, _ locked: LockedFile, path: String) throws(ImageError) {
        self.digest = digest
        self.locked = locked
        do throws(Errno) {
            size = try locked.file.status().size
        } catch {
            throw ImageError(path, error)
        }
    }

    /// The descriptor's number, for calls that borrow it; read with offsets, as others may read too. Never close it.
    public var raw: Int32 { locked.file.raw }

    /// Reads at an offset until the buffer is full or the blob ends; returns the bytes read. Any thread.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(ImageError) -> Int {
        do throws(Errno) {
            return try locked.file.read(into: buffer, at: offset)
        } catch {
            throw ImageError("blob \(digest)", error)
        }
    }

    func removeName(_ path: String) { locked.removeName(path) }

    /// Computes the digest of what is on the disk.
    func computedDigest() throws(ImageError) -> Digest {
        var hasher = ContentHasher(digest.algorithm)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while true {
            let count = try read(into: buffer, at: offset)
            if count == 0 { return hasher.digest() }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
    }
}

extension ImageStore {
    /// Whether the store has the blob, whole.
    public func contains(_ digest: Digest) -> Bool { Self.exists(path(of: digest)) }

    /// Opens a blob for reading; nil when the store does not have it.
    public func openBlob(_ digest: Digest) throws(ImageError) -> Blob? {
        let path = path(of: digest)
        guard let locked = try LockedFile.shared(path) else { return nil }
        return try Blob(digest, locked, path: path)
    }

    /// Reads a document, of at most `limit` bytes, and checks it against its digest. One that fails the check is removed, so
    /// that the next pull fetches it again.
    public func readBlob(_ descriptor: Descriptor, limit: UInt64, image: String) throws(ImageError) -> [UInt8] {
        guard descriptor.size <= limit else {
            throw .tooLarge(what: "\(image): \(descriptor.digest)", found: descriptor.size, limit: limit)
        }
        guard let blob = try openBlob(descriptor.digest) else {
            throw .incompleteImage(image, missing: descriptor.digest)
        }
        guard blob.size == descriptor.size else {
            try checkDamage(blob, image: image)
            throw .sizeMismatch(what: "\(image): \(descriptor.digest)", expected: descriptor.size, found: blob.size)
        }
        var bytes = [UInt8](repeating: 0, count: Int(blob.size))
        let count = try bytes.withMutableRawBytes { bytes throws(ImageError) in try blob.read(into: bytes, at: 0) }
        let found = Digest(of: bytes[..<count], descriptor.digest.algorithm)
        guard found == descriptor.digest else {
            throw removeDamaged(blob, image: image, found: found)
        }
        return bytes
    }

    /// After a blob turned out to be none that a document can mean: throws, and removes it, when its bytes are not those of its
    /// digest, so that it is fetched again. Otherwise the document is to blame.
    func checkDamage(_ blob: Blob, image: String) throws(ImageError) {
        let found = try blob.computedDigest()
        guard found == blob.digest else { throw removeDamaged(blob, image: image, found: found) }
    }

    private func removeDamaged(_ blob: Blob, image: String, found: Digest) -> ImageError {
        blob.removeName(path(of: blob.digest))
        return .digestMismatch(
            what: "\(image): a file of the store was damaged and is removed, pull or load the image again",
            expected: blob.digest, found: found)
    }

    /// Reads an image's manifest, checked against its digest. `image` names the image in errors.
    public func readManifest(_ descriptor: Descriptor, image: String) throws(ImageError) -> ImageManifest {
        let bytes = try readBlob(descriptor, limit: ImageLimits.manifest, image: image)
        return try ImageManifest(json: bytes, what: "\(image): manifest")
    }

    /// Reads an image's configuration, checked against its digest. `image` names the image in errors.
    public func readConfiguration(_ descriptor: Descriptor, image: String) throws(ImageError) -> ImageConfiguration {
        let bytes = try readBlob(descriptor, limit: ImageLimits.configuration, image: image)
        return try ImageConfiguration(json: bytes, what: "\(image): configuration")
    }
}
