import LinuxSystem

extension ImageStore {
    /// Brings images of a directory or an archive into the store.
    ///
    /// The images get the names that the source gives them; a bare tag is completed to `localhost/FILE:TAG`. Nothing is named
    /// unless all of the source was good, and nothing is left of a source that was not.
    ///
    /// - Parameters:
    ///   - name: a name for the image instead of those; the source has one image then, or names one.
    ///   - platform: what is taken of an image for several platforms.
    ///   - maximumSize: bytes that the files of an archive may have together.
    public func load(
        _ source: ImageSource, as name: ImageReference? = nil, platform: Platform = .host,
        maximumSize: UInt64 = defaultMaximumUnpacked
    ) throws(ImageError) -> [StoredImage] {
        let transfer = beginTransfer()
        defer { transfer.discardUnused() }
        var images: [IncomingImage]
        switch source {
        case .ociDirectory(let path, let label):
            images = try loadDirectory(path, label, platform, transfer)
        case .archive(let path, let label):
            images = try loadArchive(path, label, platform, transfer, maximumSize)
        }
        if let name {
            guard images.count == 1 else {
                throw .invalidArchive(
                    path: "\(source)", reason: "\(images.count) images in it: say which one is to be called \(name.familiar)")
            }
            images[0].names = [name]
        }
        for image in images {
            for name in image.names { try Self.check(name, means: [image.manifest.digest] + [image.source].compactMap(\.self)) }
        }
        var stored: [StoredImage] = []
        for image in images {
            for name in image.names.isEmpty ? [nil] : image.names.map(Optional.some) {
                try transfer.commit(image.manifest, as: name, source: image.source)
            }
        }
        for image in images {
            let image = try self.image(manifest: image.manifest.digest)
            if !stored.contains(where: { $0.manifest.digest == image.manifest.digest }) { stored.append(image) }
        }
        return stored
    }

    private func loadDirectory(
        _ path: String, _ label: String?, _ platform: Platform, _ transfer: ImageTransfer
    ) throws(ImageError) -> [IncomingImage] {
        guard Self.exists("\(path)/oci-layout") else {
            throw Self.exists(path)
                ? .invalidArchive(path: path, reason: "not an OCI image layout: it has no file oci-layout")
                : .file(path: path, .noEntry)
        }
        func read(_ file: String, limit: UInt64) throws(ImageError) -> [UInt8] {
            let name = "\(path)/\(file)"
            do throws(Errno) {
                let bytes = try FileDescriptor.open(name, .readOnly).prefix(Int(limit) + 1)
                guard bytes.count <= limit else { throw .messageSize }
                return bytes
            } catch {
                if error == .messageSize { throw .tooLarge(what: name, found: limit + 1, limit: limit) }
                throw ImageError(name, error)
            }
        }
        let index = try LayoutIndex(json: try read("index.json", limit: ImageLimits.manifest), source: path)
        var images: [IncomingImage] = []
        for image in try index.selected(label, source: path) {
            let what = image.label.map { "\(path): \($0)" } ?? path
            func document(_ descriptor: Descriptor) throws(ImageError) -> [UInt8] {
                let bytes = try read(descriptor.digest.pathInLayout, limit: ImageLimits.manifest)
                let found = Digest(of: bytes, descriptor.digest.algorithm)
                guard found == descriptor.digest else {
                    throw .digestMismatch(what: what, expected: descriptor.digest, found: found)
                }
                return bytes
            }
            let (manifest, content, source) = try image.manifest(for: platform, what: what, read: document)
            for blob in [manifest] + content.blobs {
                try copy(blob, from: "\(path)/\(blob.digest.pathInLayout)", transfer)
            }
            images.append(IncomingImage(manifest: manifest, names: image.name.map { [$0] } ?? [], source: source))
        }
        return images
    }

    private func copy(_ descriptor: Descriptor, from path: String, _ transfer: ImageTransfer) throws(ImageError) {
        guard let writer = try transfer.writer(for: descriptor) else { return }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        do throws(ImageError) {
            try writer.restart()
            let file = try Self.open(path)
            while true {
                let count = try Self.read(file, path, into: buffer)
                if count == 0 { break }
                try writer.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            try writer.finish()
        } catch {
            writer.discard()
            throw error
        }
    }

    private static func open(_ path: String) throws(ImageError) -> FileDescriptor {
        do throws(Errno) {
            return try .open(path, .readOnly)
        } catch {
            throw ImageError(path, error)
        }
    }

    private static func read(
        _ file: borrowing FileDescriptor, _ path: String, into buffer: UnsafeMutableRawBufferPointer
    ) throws(ImageError) -> Int {
        do throws(Errno) {
            return try file.read(into: buffer)
        } catch {
            throw ImageError(path, error)
        }
    }
}

/// An image whose blobs are in the store, before it is one of the store's.
struct IncomingImage {
    var manifest: Descriptor
    var names: [ImageReference]
    /// The digest of the index that it was chosen from.
    var source: Digest?
}

extension Digest {
    /// Where an OCI layout has the blob.
    var pathInLayout: String { "blobs/\(algorithm.rawValue)/\(hex)" }
}
