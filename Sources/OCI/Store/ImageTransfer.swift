import LinuxSystem
import Synchronization

/// An image on its way into the store. Its blobs are safe from collection from the moment they are asked for until this object
/// ends; a name makes them safe for longer.
///
/// ```swift
/// let transfer = store.beginTransfer()
/// for blob in manifest.blobs {
///     guard let writer = try transfer.writer(for: blob) else { continue }  // the store has it
///     // fetch from writer.offset on, writer.append(…)
///     try writer.finish()
/// }
/// try transfer.write(manifestBytes, as: descriptor)
/// let image = try transfer.commit(descriptor, as: reference, source: indexDigest)
/// ```
///
/// Any thread; different blobs at the same time too.
public final class ImageTransfer: Sendable {
    private let store: ImageStore
    /// The locks of the blobs that this transfer relies on.
    private let kept = Mutex<[Digest: LockedFile]>([:])
    /// Blobs that the store did not have before.
    private let written = Mutex<Set<Digest>>([])

    init(_ store: ImageStore) {
        self.store = store
        // A descriptor for each of up to 514 blobs.
        CurrentProcess.raiseDescriptorLimit()
    }

    func keep(_ digest: Digest, _ locked: LockedFile, isNew: Bool) {
        kept.withLock { $0[digest] = locked }
        if isNew { _ = written.withLock { $0.insert(digest) } }
    }

    /// Gives up the blobs that this transfer wrote and that no image of the store has.
    func discardUnused() {
        let candidates = written.withLock { $0 }
        kept.withLock { $0.removeAll() }
        // What stays is garbage that the next collection removes.
        try? store.removeUnreferenced(candidates)
    }

    /// What writes the blob; nil when the store has it already. Waits while another process or thread writes the same blob,
    /// and then either finds it there or goes on with it: ask for different blobs only, or from different threads.
    ///
    /// Throws `.sizeMismatch` when the store's blob is whole, and of another size than the descriptor says.
    public func writer(for descriptor: Descriptor) throws(ImageError) -> BlobWriter? {
        while true {
            if try keepExisting(descriptor) { return nil }
            let path = "\(store.partials)/\(descriptor.digest.algorithm.rawValue)-\(descriptor.digest.hex)"
            guard let locked = try LockedFile.exclusive(path, waiting: true) else { continue }
            // Who had the lock may have finished the blob; the file just made is then of no use.
            if try keepExisting(descriptor) {
                try? removeFile(path)
                return nil
            }
            return try BlobWriter(descriptor, locked, path: path, store: store, transfer: self)
        }
    }

    /// Writes a document, a manifest for example, of which all bytes are here. The digest and size are checked.
    public func write(_ bytes: [UInt8], as descriptor: Descriptor) throws(ImageError) {
        guard let writer = try writer(for: descriptor) else { return }
        do throws(ImageError) {
            try writer.restart()
            try bytes.withRawBytes { bytes throws(ImageError) in try writer.append(bytes) }
            try writer.finish()
        } catch {
            writer.discard()
            throw error
        }
    }

    /// Keeps the blob when the store has it. One that is damaged, as its size shows, is removed.
    func keepExisting(_ descriptor: Descriptor) throws(ImageError) -> Bool {
        let path = store.path(of: descriptor.digest)
        guard let locked = try LockedFile.shared(path) else { return false }
        let size: UInt64
        do throws(Errno) {
            size = try locked.file.status().size
        } catch {
            throw ImageError(path, error)
        }
        guard size == descriptor.size else {
            let blob = try Blob(descriptor.digest, locked, path: path)
            guard try blob.computedDigest() == descriptor.digest else {
                blob.removeName(path)
                return false
            }
            throw .sizeMismatch(what: "blob \(descriptor.digest)", expected: descriptor.size, found: size)
        }
        keep(descriptor.digest, locked, isNew: false)
        return true
    }

    /// Makes the image part of the store, under a name or without one. Everything its manifest points to must be there.
    ///
    /// - Parameters:
    ///   - manifest: of the image itself, not of an index.
    ///   - name: taken from the image that has it; nil: the image is known by its identifier only. With a digest, it has to be
    ///     the manifest's, or a source's.
    ///   - source: the digest that the registry gave for the name where that is not the manifest's: the index's.
    @discardableResult
    public func commit(
        _ manifest: Descriptor, as name: ImageReference?, source: Digest? = nil
    ) throws(ImageError) -> StoredImage {
        let text = name?.familiar ?? manifest.digest.description
        let document = try store.readManifest(manifest, image: text)
        for blob in document.blobs where try !keepExisting(blob) {
            throw .incompleteImage(text, missing: blob.digest)
        }
        let configuration = try store.readConfiguration(document.config, image: text)
        guard configuration.rootfs.diffIDs.count == document.layers.count else {
            throw .invalidDocument(what: text, reason: """
                the manifest has \(document.layers.count) layers, the configuration \(configuration.rootfs.diffIDs.count)
                """)
        }
        try store.record(manifest, name: name, source: source)
        return try store.image(manifest: manifest.digest)
    }
}

extension ImageStore {
    public func beginTransfer() -> ImageTransfer { ImageTransfer(self) }
}
