import LinuxSystem

/// Writes a blob whose digest is known when it is whole: a layer of a Docker archive. One thread.
final class UnnamedBlobWriter {
    private let store: ImageStore
    private let transfer: ImageTransfer
    private let path: String
    private let locked: LockedFile
    private var hasher = ContentHasher()
    private var size: UInt64 = 0
    private var isFinished = false

    init(_ store: ImageStore, _ transfer: ImageTransfer) throws(ImageError) {
        self.store = store
        self.transfer = transfer
        path = "\(store.partials)/\(ImageStore.unnamedPrefix)\(UInt64.random(in: 0 ... .max))"
        guard let locked = try LockedFile.exclusive(path, waiting: true) else { throw .file(path: path, .again) }
        self.locked = locked
    }

    deinit {
        // What cannot be removed here is unlocked from now on, and the next who opens the store removes it.
        if !isFinished { try? removeFile(path) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        do throws(Errno) {
            try locked.file.writeAll(bytes)
        } catch {
            throw ImageError(path, error)
        }
        hasher.update(bytes)
        size += UInt64(bytes.count)
    }

    /// Names the blob by its digest, unless the store has it.
    func finish(mediaType: String) throws(ImageError) -> Descriptor {
        let descriptor = Descriptor(mediaType: mediaType, digest: hasher.digest(), size: size)
        if try transfer.keepExisting(descriptor) { return descriptor }
        let shared = try store.adopt(locked, at: path, as: descriptor.digest)
        isFinished = true
        transfer.keep(descriptor.digest, shared, isNew: true)
        return descriptor
    }
}
