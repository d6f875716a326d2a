import LinuxSystem

extension ImageStore {
    /// Writes images with all their names to a file, a directory for `.ociDirectory`, or standard output (`-`). A file gets its
    /// name, and replaces the file that had it, when it is whole; a device or FIFO is written to; a directory must not exist.
    ///
    /// A name with the digest of an index is left out: what is saved has no such index, and could not be told from a forgery.
    public func save(_ images: [StoredImage], as format: ArchiveFormat, to path: String) throws(ImageError) {
        if format == .ociDirectory {
            guard path != "-", !Self.exists(path) else { throw .file(path: path, .exists) }
            return try saveDirectory(images, to: path)
        }
        let output = ArchiveOutput(path)
        do throws(ImageError) {
            let file = try Self.onFile(path) { () throws(Errno) in try output.open() }
            var writer = TarWriter(file, path: path)
            switch format {
            case .ociArchive: try writeLayout(images, to: &writer)
            case .dockerArchive: try writeDocker(images, to: &writer)
            case .ociDirectory: break
            }
            try writer.finish(durably: !output.isStream)
            try Self.onFile(path) { () throws(Errno) in try output.finish() }
        } catch {
            output.discard()
            throw error
        }
    }

    private static func onFile<Result: ~Copyable>(_ path: String, _ body: () throws(Errno) -> Result) throws(ImageError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw ImageError(path, error)
        }
    }

    // MARK: OCI

    private static let layoutVersion = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)

    /// The index.json of a layout with these images.
    private func layoutIndex(_ images: [StoredImage]) throws(ImageError) -> [UInt8] {
        var entries: [Descriptor] = []
        for image in images {
            let names = image.names.filter { $0.digest == nil || $0.digest == image.manifest.digest }
            for name in names.isEmpty ? [nil] : names.map(Optional.some) {
                var entry = image.manifest
                entry.platform = image.configuration.platform
                if let name {
                    entry.annotations = [Annotation.referenceName: name.description, Annotation.containerdName: name.description]
                }
                entries.append(entry)
            }
        }
        return try encodeJSON(ImageIndex(manifests: entries))
    }

    private func allBlobs(_ images: [StoredImage]) -> [Descriptor] {
        var seen: Set<Digest> = []
        return images.flatMap { [$0.manifest] + $0.content.blobs }.filter { seen.insert($0.digest).inserted }
    }

    private func writeLayout(_ images: [StoredImage], to writer: inout TarWriter) throws(ImageError) {
        try writer.add("oci-layout", Self.layoutVersion)
        try writer.add("index.json", try layoutIndex(images))
        for descriptor in allBlobs(images) {
            let blob = try checkedBlob(descriptor)
            // A name of a SHA-512 digest is longer than a header has room for, and nobody has been seen to use one.
            try writer.begin(descriptor.digest.pathInLayout, size: blob.size)
            try Self.forEachPiece(of: blob) { piece throws(ImageError) in try writer.append(piece) }
            try writer.end()
        }
    }

    private func saveDirectory(_ images: [StoredImage], to path: String) throws(ImageError) {
        var made: [String] = []
        func make(_ directory: String) throws(ImageError) {
            do throws(Errno) {
                try makeDirectory(directory, permissions: 0o755)
                made.append(directory)
            } catch {
                if error != .exists { throw ImageError(directory, error) }
            }
        }
        func write(_ name: String, _ body: (borrowing FileDescriptor, String) throws(ImageError) -> Void) throws(ImageError) {
            let file = "\(path)/\(name)"
            let output = try Self.onFile(file) { () throws(Errno) in
                try FileDescriptor.open(file, [.writeOnly, .create, .exclusive], permissions: 0o644)
            }
            made.append(file)
            try body(output, file)
        }
        do throws(ImageError) {
            try make(path)
            try make("\(path)/blobs")
            for descriptor in allBlobs(images) {
                try make("\(path)/blobs/\(descriptor.digest.algorithm.rawValue)")
                let blob = try checkedBlob(descriptor)
                try write(descriptor.digest.pathInLayout) { output, file throws(ImageError) in
                    try Self.forEachPiece(of: blob) { piece throws(ImageError) in try Self.write(piece, output, file) }
                }
            }
            // The layout is one from here on.
            for (name, bytes) in [("index.json", try layoutIndex(images)), ("oci-layout", Self.layoutVersion)] {
                try write(name) { output, file throws(ImageError) in
                    try bytes.withRawBytes { bytes throws(ImageError) in try Self.write(bytes, output, file) }
                }
            }
        } catch {
            // A directory goes after what is in it.
            for name in made.reversed() {
                do throws(Errno) { try removeFile(name) } catch { try? removeDirectory(name) }
            }
            throw error
        }
    }

    private static func write(
        _ bytes: UnsafeRawBufferPointer, _ output: borrowing FileDescriptor, _ path: String
    ) throws(ImageError) {
        try onFile(path) { () throws(Errno) in try output.writeAll(bytes) }
    }

    // MARK: Docker

    /// What `docker save` writes: configurations, uncompressed layers in folders of their own, manifest.json, and repositories,
    /// which only programs older than Docker 1.10 read.
    private func writeDocker(_ images: [StoredImage], to writer: inout TarWriter) throws(ImageError) {
        var written: Set<String> = []
        var list: [DockerImage] = []
        var repositories: [String: [String: String]] = [:]
        for image in images {
            var layers: [String] = []
            for (descriptor, diffID) in zip(image.content.layers, image.configuration.rootfs.diffIDs) {
                let name = "\(diffID.hex)/layer.tar"
                layers.append(name)
                if written.insert(name).inserted {
                    try writeLayer(try checkedBlob(descriptor), name, to: &writer)
                }
            }
            let config = "\(image.id.hex).json"
            if written.insert(config).inserted {
                let bytes = try readBlob(image.content.config, limit: ImageLimits.configuration, image: image.title)
                try writer.add(config, bytes)
            }
            let tags = image.names.filter { $0.tag != nil && $0.digest == nil }
            for name in tags {
                let layer = layers.last.map { String($0.prefix(64)) } ?? ""
                repositories[name.familiarRepository, default: [:]][name.tag ?? ""] = layer
            }
            list.append(DockerImage(config: config, repoTags: tags.map(\.familiar), layers: layers))
        }
        try writer.add("manifest.json", try encodeJSON(list))
        try writer.add("repositories", try encodeJSON(repositories))
    }

    /// Its size comes first in a tar, so a compressed layer is decompressed twice.
    private func writeLayer(_ blob: Blob, _ name: String, to writer: inout TarWriter) throws(ImageError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        do throws(LayerFailure) {
            var size: UInt64 = 0
            var measuring = Decompressor(blob)
            while case let count = try measuring.read(into: buffer), count > 0 { size += UInt64(count) }
            var copying = Decompressor(blob)
            do throws(ImageError) { try writer.begin(name, size: size) } catch { throw .image(error) }
            while case let count = try copying.read(into: buffer), count > 0 {
                do throws(ImageError) {
                    try writer.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                } catch {
                    throw .image(error)
                }
            }
            do throws(ImageError) { try writer.end() } catch { throw .image(error) }
        } catch {
            switch error {
            case .image(let error): throw error
            case .invalid(let reason): throw .invalidDocument(what: "layer \(blob.digest)", reason: reason)
            }
        }
    }

    // MARK: Blobs

    private func checkedBlob(_ descriptor: Descriptor) throws(ImageError) -> Blob {
        guard let blob = try openBlob(descriptor.digest) else {
            throw .incompleteImage("image", missing: descriptor.digest)
        }
        return blob
    }

    private static func forEachPiece(
        of blob: Blob, _ body: (UnsafeRawBufferPointer) throws(ImageError) -> Void
    ) throws(ImageError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while true {
            let count = try blob.read(into: buffer, at: offset)
            if count == 0 { return }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
    }
}

extension ImageReference {
    /// `familiar` without tag and digest.
    fileprivate var familiarRepository: String {
        ImageReference(registry: registry, repository: repository, tag: nil, digest: nil).familiar
    }
}
