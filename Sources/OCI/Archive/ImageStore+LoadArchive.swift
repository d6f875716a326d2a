import LinuxSystem

extension ImageStore {
    /// Reads an archive once, from front to back, as it may be a pipe: files go into the store as blobs, and what they are is
    /// known when all of them are there.
    func loadArchive(
        _ path: String, _ label: String?, _ platform: Platform, _ transfer: ImageTransfer, _ maximumSize: UInt64
    ) throws(ImageError) -> [IncomingImage] {
        let files = try ArchiveFiles(path, store: self, transfer: transfer, maximumSize: maximumSize)
        if let index = files.documents["index.json"], files.documents["oci-layout"] != nil {
            return try images(ofLayout: index, files, label, platform, path)
        }
        if let manifest = files.documents["manifest.json"] {
            return try images(ofDocker: manifest, files, label, path, transfer)
        }
        throw .invalidArchive(
            path: path, reason: "neither an OCI image layout (oci-layout, index.json) nor a Docker archive (manifest.json)")
    }

    private func images(
        ofLayout index: [UInt8], _ files: ArchiveFiles, _ label: String?, _ platform: Platform, _ path: String
    ) throws(ImageError) -> [IncomingImage] {
        var images: [IncomingImage] = []
        for image in try LayoutIndex(json: index, source: path).selected(label, source: path) {
            let what = image.label.map { "\(path): \($0)" } ?? path
            func document(_ descriptor: Descriptor) throws(ImageError) -> [UInt8] {
                try readBlob(descriptor, limit: ImageLimits.manifest, image: what)
            }
            let (manifest, _, source) = try image.manifest(for: platform, what: what, read: document)
            images.append(IncomingImage(manifest: manifest, names: image.name.map { [$0] } ?? [], source: source))
        }
        return images
    }

    /// An element of a Docker archive's manifest.json.
    struct DockerImage: Codable {
        var config: String
        var repoTags: [String]?
        var layers: [String]

        enum CodingKeys: String, CodingKey {
            case config = "Config"
            case repoTags = "RepoTags"
            case layers = "Layers"
        }
    }

    private func images(
        ofDocker manifest: [UInt8], _ files: ArchiveFiles, _ label: String?, _ path: String, _ transfer: ImageTransfer
    ) throws(ImageError) -> [IncomingImage] {
        let list = try decodeJSON([DockerImage].self, from: manifest, limit: ImageLimits.manifest, what: "\(path): manifest.json")
        let wanted: ImageReference? = if let label { try ImageReference(label) } else { nil }
        var images: [IncomingImage] = []
        for image in list {
            let names = (image.repoTags ?? []).compactMap { try? ImageReference($0) }
            if let wanted, !names.contains(wanted) { continue }
            var config = try files.blob(image.config)
            config.mediaType = MediaType.configuration
            let bytes = try readBlob(config, limit: ImageLimits.configuration, image: path)
            let configuration = try ImageConfiguration(json: bytes, what: "\(path): \(image.config)")
            guard configuration.rootfs.diffIDs.count == image.layers.count else {
                throw .invalidArchive(path: path, reason: """
                    manifest.json has \(image.layers.count) layers, \(image.config) has \(configuration.rootfs.diffIDs.count)
                    """)
            }
            var layers: [Descriptor] = []
            for (name, expected) in zip(image.layers, configuration.rootfs.diffIDs) {
                var layer = try files.blob(name)
                layer.mediaType = try layerType(layer)
                guard layer.mediaType != MediaType.layer || layer.digest == expected || expected.algorithm != .sha256 else {
                    throw .digestMismatch(what: "\(path): \(name)", expected: expected, found: layer.digest)
                }
                layers.append(layer)
            }
            let document = try encodeJSON(ImageManifest(config: config, layers: layers))
            let descriptor = Descriptor(mediaType: MediaType.manifest, of: document)
            try transfer.write(document, as: descriptor)
            images.append(IncomingImage(manifest: descriptor, names: wanted.map { [$0] } ?? names))
        }
        guard !images.isEmpty else {
            throw .invalidArchive(path: path, reason: label.map { "no image \(quoted($0)) in it" } ?? "no image in it")
        }
        return images
    }

    /// How a layer is compressed, from how it begins.
    private func layerType(_ layer: Descriptor) throws(ImageError) -> String {
        guard let blob = try openBlob(layer.digest) else { throw .incompleteImage("layer", missing: layer.digest) }
        var start = [UInt8](repeating: 0, count: 4)
        _ = try start.withMutableRawBytes { bytes throws(ImageError) in try blob.read(into: bytes, at: 0) }
        if start.starts(with: [0x1F, 0x8B]) { return MediaType.layerGzip }
        if start.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return MediaType.layerZstd }
        return MediaType.layer
    }
}

/// The files of an archive: small documents in memory, all others as blobs of the store.
struct ArchiveFiles {
    /// The bytes of the documents that say what the archive is.
    private(set) var documents: [String: [UInt8]] = [:]
    private var blobs: [String: Descriptor] = [:]
    private var links: [String: String] = [:]
    private let path: String

    private static let documentNames: Set = ["oci-layout", "index.json", "manifest.json", "repositories"]
    /// Files in an archive. An image has a manifest, a configuration and up to 512 layers.
    private static let limit = 1 << 16

    init(_ path: String, store: ImageStore, transfer: ImageTransfer, maximumSize: UInt64) throws(ImageError) {
        self.path = path
        do throws(LayerFailure) {
            let input = try ArchiveInput(path)
            let reader = try TarReader(compressed: true) { () throws(LayerFailure) in try input.next() }
            var total: UInt64 = 0
            var count = 0
            while let entry = try reader.nextEntry() {
                count += 1
                guard count <= Self.limit else { throw .invalid("more than \(Self.limit) files") }
                let name = Self.normal(String(decoding: entry.path, as: UTF8.self))
                switch entry.kind {
                case .regular:
                    // Of no use since Docker 1.10.
                    if name.hasSuffix("/VERSION") || name.hasSuffix("/json") { continue }
                    let (sum, isTooMuch) = total.addingReportingOverflow(UInt64(clamping: entry.size))
                    total = sum
                    guard !isTooMuch, total <= maximumSize else { throw .image(.unpackedTooLarge(limit: maximumSize)) }
                    try read(name, UInt64(clamping: entry.size), reader, store, transfer)
                case .hardLink(let target):
                    links[name] = Self.normal(String(decoding: target, as: UTF8.self))
                case .symbolicLink(let target):
                    let folder = name.split(separator: "/").dropLast().joined(separator: "/")
                    links[name] = Self.normal("\(folder)/\(String(decoding: target, as: UTF8.self))")
                default: continue
                }
            }
        } catch {
            switch error {
            case .image(let error): throw error
            case .invalid(let reason): throw .invalidArchive(path: path, reason: reason)
            }
        }
    }

    private mutating func read(
        _ name: String, _ size: UInt64, _ reader: TarReader, _ store: ImageStore, _ transfer: ImageTransfer
    ) throws(LayerFailure) {
        if Self.documentNames.contains(name) {
            guard size <= ImageLimits.manifest else {
                throw .invalid("\(name): \(size) bytes, at most \(ImageLimits.manifest) are taken")
            }
            var bytes: [UInt8] = []
            while let (_, piece) = try reader.nextData() { bytes.append(contentsOf: piece) }
            documents[name] = bytes
            return
        }
        do throws(ImageError) {
            let parts = name.split(separator: "/")
            if parts.count == 3, parts[0] == "blobs" {
                let descriptor = Descriptor(mediaType: "", digest: try Digest("\(parts[1]):\(parts[2])"), size: size)
                blobs[name] = descriptor
                guard let writer = try transfer.writer(for: descriptor) else { return }
                do throws(ImageError) {
                    try writer.restart()
                    try Self.forEachPiece(of: reader) { piece throws(ImageError) in try writer.append(piece) }
                    try writer.finish()
                } catch {
                    writer.discard()
                    throw error
                }
            } else {
                let writer = try UnnamedBlobWriter(store, transfer)
                try Self.forEachPiece(of: reader) { piece throws(ImageError) in try writer.append(piece) }
                blobs[name] = try writer.finish(mediaType: "")
            }
        } catch {
            throw .image(error)
        }
    }

    private static func forEachPiece(
        of reader: TarReader, _ body: (UnsafeRawBufferPointer) throws(ImageError) -> Void
    ) throws(ImageError) {
        var position: Int64 = 0
        while true {
            let piece: (offset: Int64, bytes: UnsafeRawBufferPointer)?
            do throws(LayerFailure) {
                piece = try reader.nextData()
                if let piece, piece.offset != position { throw .invalid("a sparse file in it; write it anew without") }
            } catch {
                switch error {
                case .image(let error): throw error
                case .invalid(let reason): throw .invalidArchive(path: "archive", reason: reason)
                }
            }
            guard let piece else { return }
            position += Int64(piece.bytes.count)
            try body(piece.bytes)
        }
    }

    /// Without `.` and empty components, and `..` undone. Only a key: no file is ever opened by it.
    private static func normal(_ name: String) -> String {
        var parts: [Substring] = []
        for part in name.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// The blob that a file of the archive has become.
    func blob(_ name: String) throws(ImageError) -> Descriptor {
        var key = Self.normal(name)
        for _ in 0..<8 {
            if let blob = blobs[key] { return blob }
            guard let target = links[key] else { break }
            key = target
        }
        throw .invalidArchive(path: path, reason: "\(quoted(name)) is not in it")
    }
}

/// The bytes of an archive's file.
private final class ArchiveInput {
    private let file: FileDescriptor
    private let path: String
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)

    init(_ path: String) throws(LayerFailure) {
        self.path = path
        do throws(Errno) {
            file = path == "-" ? try .duplicate(of: 0) : try .open(path, .readOnly)
        } catch {
            throw .image(.file(path: path, error))
        }
    }

    deinit {
        buffer.deallocate()
    }

    func next() throws(LayerFailure) -> UnsafeRawBufferPointer? {
        do throws(Errno) {
            let count = try file.read(into: buffer)
            return count == 0 ? nil : UnsafeRawBufferPointer(rebasing: buffer[..<count])
        } catch {
            throw .image(.file(path: path, error))
        }
    }
}
