import LinuxSystem

/// How far unpacking is.
public struct UnpackProgress: Sendable, Equatable {
    /// Bytes of the compressed layers that are done, and of all of them.
    public var done: UInt64
    public var total: UInt64
}

extension ImageStore {
    /// What an image may unpack to without `--max-unpacked`: 64 GiB.
    public static let defaultMaximumUnpacked: UInt64 = 64 << 30

    /// The image's root image, made from its layers unless it exists. While another process or thread makes it, waits for it.
    ///
    /// - Parameters:
    ///   - maximumUnpacked: bytes of the layers' tars together; more throws `.unpackedTooLarge`.
    ///   - progress: called on the calling thread about every mebibyte.
    public func rootImage(
        for image: StoredImage, maximumUnpacked: UInt64 = defaultMaximumUnpacked,
        progress: ((UnpackProgress) -> Void)? = nil
    ) throws(ImageError) -> RootImage {
        try rootImage(for: image, maximumUnpacked: maximumUnpacked, limits: FileTree.Limits(), progress: progress)
    }

    func rootImage(
        for image: StoredImage, maximumUnpacked: UInt64 = defaultMaximumUnpacked, limits: FileTree.Limits,
        progress: ((UnpackProgress) -> Void)? = nil
    ) throws(ImageError) -> RootImage {
        let identifier = RootImage.Identifier(image.configuration)
        let partial = "\(path(of: identifier)).partial"
        while true {
            if let existing = try existingRootImage(identifier) { return existing }
            guard let locked = try LockedFile.exclusive(partial, waiting: true) else { continue }
            do throws(ImageError) {
                // Who had the lock may have made the image, and taken the partial file's name away.
                if let existing = try existingRootImage(identifier) {
                    try? removeFile(partial)
                    return existing
                }
                var unpacker = Unpacker(image, store: self, maximumUnpacked: maximumUnpacked, progress: progress)
                try unpacker.unpack(into: locked, path: partial, limits)
                try finish(locked, partial, as: identifier)
            } catch {
                try? removeFile(partial)
                throw error
            }
        }
    }

    /// Gives the whole file its name, durably. Others may not write it, nor its owner by accident.
    private func finish(_ locked: LockedFile, _ partial: String, as identifier: RootImage.Identifier) throws(ImageError) {
        let final = path(of: identifier)
        do throws(Errno) {
            try locked.file.setPermissions(0o400)
            try locked.file.synchronizeData()
            try renameFile(partial, to: final)
            try locked.file.unlock()
            try synchronizeDirectory(roots)
        } catch {
            throw ImageError(final, error)
        }
    }
}

/// Makes one root image.
private struct Unpacker {
    let image: StoredImage
    let store: ImageStore
    let maximumUnpacked: UInt64
    let progress: ((UnpackProgress) -> Void)?
    /// Bytes of tars so far.
    private var unpacked: UInt64 = 0
    /// Bytes of blobs of the layers that are done.
    private var doneBefore: UInt64 = 0
    private var reported: UInt64 = 0

    init(_ image: StoredImage, store: ImageStore, maximumUnpacked: UInt64, progress: ((UnpackProgress) -> Void)?) {
        (self.image, self.store, self.progress) = (image, store, progress)
        self.maximumUnpacked = maximumUnpacked
    }

    mutating func unpack(into locked: LockedFile, path: String, _ limits: FileTree.Limits) throws(ImageError) {
        let firstBlock = Ext4Layout.firstDataBlock
        do throws(Errno) {
            // What a process left that was killed here is of no use.
            try locked.file.truncate(to: 0)
        } catch {
            throw ImageError(path, error)
        }
        var applier = LayerApplier(
            tree: FileTree(limits: limits),
            blocks: BlockWriter(locked.file.raw, path: path, firstBlock: firstBlock, limit: .max))
        for index in image.content.layers.indices {
            do throws(LayerFailure) {
                try apply(index, &applier)
                try applier.releaseFreed(locked)
            } catch {
                throw described(error, layer: index)
            }
        }
        var writer = Ext4Writer(applier, path: path, hash: Self.bytes(RootImage.Identifier(image.configuration).description))
        do throws(LayerFailure) {
            let size = try writer.finish(firstBlock: firstBlock)
            do throws(Errno) {
                // What nothing was written to at the end are tables of zeros, and free blocks.
                try locked.file.truncate(to: size)
            } catch {
                throw .image(ImageError(path, error))
            }
        } catch {
            guard case .invalid(let reason) = error else { throw described(error, layer: 0) }
            throw .unsupported(what: image.title, reason: reason)
        }
    }

    private func described(_ failure: LayerFailure, layer: Int) -> ImageError {
        switch failure {
        case .image(let error): error
        case .invalid(let reason):
            .invalidLayer(number: layer + 1, count: image.content.layers.count, digest: image.content.layers[layer].digest,
                          reason: reason)
        }
    }

    private mutating func apply(_ index: Int, _ applier: inout LayerApplier) throws(LayerFailure) {
        let descriptor = image.content.layers[index]
        let expected = image.configuration.rootfs.diffIDs[index]
        let blob: Blob
        do throws(ImageError) {
            guard let found = try store.openBlob(descriptor.digest) else {
                throw .incompleteImage(image.title, missing: descriptor.digest)
            }
            blob = found
        } catch {
            throw .image(error)
        }
        let stream = try LayerStream(blob, algorithm: expected.algorithm)
        defer { stream.cancel() }
        do throws(LayerFailure) {
            let counter = Counter(self, stream)
            let reader = try TarReader { () throws(LayerFailure) in try counter.next() }
            try applier.apply(reader)
            // Behind the tar's end there may be padding, which counts for the digest.
            while try counter.next() != nil {}
            (unpacked, reported) = (counter.unpacked, counter.reported)
            doneBefore += blob.size
        } catch {
            if case .invalid = error { try checkBlob(blob) }
            throw error
        }
        guard let found = stream.digest, found == expected else {
            try checkBlob(blob)
            let found = stream.digest.map { ", found \($0)" } ?? ""
            throw .invalid("the layer's content is not what the image's configuration says: expected \(expected)\(found)")
        }
    }

    /// After a layer turned out bad: whether that is the disk's fault. A damaged blob is removed, so that it is fetched again.
    private func checkBlob(_ blob: Blob) throws(LayerFailure) {
        do throws(ImageError) {
            try store.checkDamage(blob, image: image.title)
        } catch {
            throw .image(error)
        }
    }

    /// Counts what a layer's stream gives, and stops a bomb.
    private final class Counter {
        private let unpacker: Unpacker
        private let stream: LayerStream
        private let total: UInt64
        var unpacked: UInt64
        var reported: UInt64

        init(_ unpacker: Unpacker, _ stream: LayerStream) {
            (self.unpacker, self.stream) = (unpacker, stream)
            (unpacked, reported) = (unpacker.unpacked, unpacker.reported)
            total = unpacker.image.content.layers.reduce(0) { $0.addingReportingOverflow($1.size).partialValue }
        }

        func next() throws(LayerFailure) -> UnsafeRawBufferPointer? {
            guard let bytes = try stream.next() else { return nil }
            unpacked += UInt64(bytes.count)
            guard unpacked <= unpacker.maximumUnpacked else {
                throw .image(.unpackedTooLarge(limit: unpacker.maximumUnpacked))
            }
            if let progress = unpacker.progress {
                let done = unpacker.doneBefore + stream.consumedBytes
                if done >= reported + (1 << 20) || done == total {
                    reported = done
                    progress(UnpackProgress(done: done, total: total))
                }
            }
            return bytes
        }
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8).map { $0 < UInt8(ascii: "a") ? $0 - UInt8(ascii: "0") : $0 - UInt8(ascii: "a") + 10 }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
