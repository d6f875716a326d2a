import CImage
import Glibc
import LinuxSystem
import OCI
import ProcessSupport
import TestSupport

/// A store in a directory of its own, removed with everything below it.
final class TestStore: Sendable {
    let directory: String
    let store: ImageStore

    init() throws {
        let temporary = TemporaryDirectory()
        // A name that was free; what is in it is removed here, as it is deeper than that helper goes.
        directory = temporary.path + "-images"
        store = try ImageStore(root: directory + "/root")
    }

    deinit {
        try? removeTree(directory)
    }

    /// A path beside the store.
    func path(_ name: String) -> String { "\(directory)/\(name)" }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        var folder = directory
        for part in name.split(separator: "/").dropLast() {
            folder += "/\(part)"
            try? makeDirectory(folder, permissions: 0o755)
        }
        let file = try FileDescriptor.open(path(name), [.writeOnly, .create, .truncate])
        try bytes.withUnsafeBytes { try file.writeAll($0) }
    }

    func read(_ name: String) -> [UInt8]? { LinuxSystem.contents(ofSmallFile: path(name), limit: 1 << 28) }

    /// The files below the store that are there only while something is made.
    var leftovers: [String] {
        directoryEntries(directory + "/root/images/partial") + directoryEntries(directory + "/root/roots").filter { $0.hasSuffix(".partial") }
            + directoryEntries(directory + "/root/images").filter { $0.hasSuffix(".new") }
    }

    /// All blobs, by their hexadecimal digits.
    var blobs: [String] { directoryEntries(directory + "/root/images/blobs/sha256") }
}

/// A layer of a test image.
struct TestLayer {
    var tar: [UInt8]
    var compression = LayerCompression.uncompressed
    /// In place of the digest of the tar.
    var diffID: Digest?
    /// In place of the compressed tar.
    var blob: [UInt8]?
}

/// Documents of a test image, to be written as a layout or put into a store.
struct TestImage {
    var layers: [TestLayer]
    var config: [UInt8]
    var manifest: [UInt8]
    var blobs: [Digest: [UInt8]] = [:]
    var descriptor: Descriptor

    init(_ tars: [[UInt8]], compression: LayerCompression = .uncompressed, config: String = "{}") {
        self.init(layers: tars.map { TestLayer(tar: $0, compression: compression) }, config: config)
    }

    init(layers: [TestLayer], config text: String = "{}") {
        self.layers = layers
        var descriptors: [String] = []
        for layer in layers {
            let blob = layer.blob ?? compressed(layer.tar, layer.compression)
            let type = switch layer.compression {
            case .uncompressed: MediaType.layer
            case .gzip: MediaType.layerGzip
            case .zstd: MediaType.layerZstd
            }
            let digest = Digest(of: blob)
            blobs[digest] = blob
            descriptors.append(#"{"mediaType":"\#(type)","digest":"\#(digest)","size":\#(blob.count)}"#)
        }
        let ids = layers.map { "\"\($0.diffID ?? Digest(of: $0.tar))\"" }.joined(separator: ",")
        config = Array(#"""
            {"architecture":"amd64","os":"linux","config":\#(text),"rootfs":{"type":"layers","diff_ids":[\#(ids)]}}
            """#.utf8)
        let configDigest = Digest(of: config)
        blobs[configDigest] = config
        manifest = Array(#"""
            {"schemaVersion":2,"mediaType":"\#(MediaType.manifest)","config":{"mediaType":"\#(MediaType.configuration)",
            "digest":"\#(configDigest)","size":\#(config.count)},"layers":[\#(descriptors.joined(separator: ","))]}
            """#.utf8)
        descriptor = Descriptor(mediaType: MediaType.manifest, of: manifest)
        blobs[descriptor.digest] = manifest
    }

    /// The files of a layout with this image, under a name.
    func layout(name: String?, platform: String? = nil) -> [(name: String, bytes: [UInt8])] {
        let annotations = name.map { #","annotations":{"org.opencontainers.image.ref.name":"\#($0)"}"# } ?? ""
        let index = #"""
            {"schemaVersion":2,"manifests":[{"mediaType":"\#(MediaType.manifest)","digest":"\#(descriptor.digest)",
            "size":\#(descriptor.size)\#(annotations)}]}
            """#
        var files = [("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)), ("index.json", Array(index.utf8))]
        for (digest, bytes) in blobs { files.append(("blobs/sha256/\(digest.hex)", bytes)) }
        return files
    }
}

func compressed(_ bytes: [UInt8], _ compression: LayerCompression) -> [UInt8] {
    switch compression {
    case .uncompressed:
        return bytes
    case .gzip:
        var stream = z_stream()
        svmm_deflate_init(&stream, 1)
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))) + 64)
        var input = bytes
        let count = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                deflate(&stream, Z_FINISH)
                return Int(stream.total_out)
            }
        }
        deflateEnd(&stream)
        return Array(output[..<count])
    case .zstd:
        var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
        let count = ZSTD_compress(&output, output.count, bytes, bytes.count, 1)
        return Array(output[..<count])
    }
}

extension TestStore {
    /// Puts the image's blobs into the store and names it.
    @discardableResult
    func add(_ image: TestImage, as name: String? = "test:1", source: Digest? = nil) throws -> StoredImage {
        let transfer = store.beginTransfer()
        let content = try ImageManifest(json: image.manifest, what: "test")
        for descriptor in content.blobs {
            guard let bytes = image.blobs[descriptor.digest] else { continue }
            try transfer.write(bytes, as: descriptor)
        }
        try transfer.write(image.manifest, as: image.descriptor)
        return try transfer.commit(image.descriptor, as: try name.map { try ImageReference($0) }, source: source)
    }

    /// Unpacks an image of these layers.
    func unpack(_ layers: [[UInt8]], compression: LayerCompression = .uncompressed) throws -> RootImage {
        try store.rootImage(for: try add(TestImage(layers, compression: compression)))
    }
}
