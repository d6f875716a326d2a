import LinuxSystem
import OCI
import ProcessSupport
import TestSupport
import Testing

@Suite("The store of images")
struct StoreTests {
    private static let image = TestImage([tar { $0.file("a", "a") }])
    private static let other = TestImage([tar { $0.file("b", "b") }])

    @Test("is a layout for this user only")
    func layout() throws {
        let test = try TestStore()
        #expect(test.read("root/images/oci-layout") == Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        for folder in ["root", "root/images", "root/images/blobs", "root/images/blobs/sha256", "root/roots"] {
            #expect(try fileAttributes(at: test.path(folder)).mode == 0o40700, "\(folder)")
        }
        // Once more finds it as it is.
        try test.add(Self.image)
        #expect(try ImageStore(root: test.path("root/")).list().count == 1)
    }

    @Test("finds an image by name, digest and the start of its id")
    func resolved() throws {
        let test = try TestStore()
        let source = Digest(of: "an index".utf8)
        let image = try test.add(Self.image, as: "quay.io/a/b:1", source: source)
        let store = test.store
        for text in ["quay.io/a/b:1", "quay.io/a/b@\(image.manifest.digest)", "quay.io/a/b@\(source)", image.id.short,
                     "\(image.id)", String(image.id.hex.prefix(4)), "sha256:\(image.id.hex.prefix(10))",
                     String(image.manifest.digest.hex.prefix(12)), String(source.hex.prefix(12))] {
            #expect(try store.resolve(text)?.id == image.id, "\(text)")
        }
        for text in ["quay.io/a/b", "quay.io/a/c:1", "b:1", "quay.io/a/c@\(source)", String(image.id.hex.prefix(3)), "zzzz", ""] {
            #expect(try store.resolve(text) == nil, "\(text)")
        }
        #expect(image.names.map(\.description) == ["quay.io/a/b:1"])
        #expect(image.digests == [image.manifest.digest, source])
        #expect(image.title == "quay.io/a/b:1")
        #expect(image.size == Self.image.blobs.values.reduce(0) { $0 + UInt64($1.count) })
    }

    @Test("a name moves from one image to another, which stays without it")
    func moved() throws {
        let test = try TestStore()
        let first = try test.add(Self.image, as: "app:1")
        let second = try test.add(Self.other, as: "app:1")
        let store = test.store
        #expect(try store.resolve("app:1")?.id == second.id)
        #expect(try store.resolve(first.id.short)?.names == [])
        #expect(try store.list().map(\.names.count) == [1, 0])
        try store.tag(first, as: try ImageReference("app:old"))
        try store.tag(first, as: try ImageReference("app:older"))
        #expect(try store.resolve("app:old")?.names.map(\.familiar) == ["app:old", "app:older"])
        // The same once more changes nothing.
        try test.add(Self.image, as: "app:old")
        #expect(try store.list().count == 2)
    }

    @Test("an image without a name takes one, and is listed once")
    func unnamed() throws {
        let test = try TestStore()
        try test.add(Self.image, as: nil)
        try test.add(Self.image, as: nil)
        #expect(try test.store.list().map(\.names.count) == [0])
        try test.add(Self.image, as: "app:1")
        #expect(try test.store.list().map(\.names.count) == [1])
        try test.add(Self.image, as: nil)
        #expect(try test.store.list().map(\.names.count) == [1])
    }

    @Test("names and images are removed, and what they had is collected")
    func removed() throws {
        let test = try TestStore()
        let first = try test.add(Self.image, as: "a:1")
        try test.store.tag(first, as: try ImageReference("a:2"))
        let second = try test.add(Self.other, as: "b:1")
        let store = test.store
        #expect(try store.remove(ImageReference("c")) == false)
        #expect(try store.remove(ImageReference("a:1")))
        #expect(try store.collectGarbage().blobs == 0)
        #expect(try store.resolve("a:2")?.id == first.id)
        #expect(try store.remove(ImageReference("a:2")))
        #expect(try store.resolve(first.id.short) == nil)
        // Of containers, although no name leads to them any more.
        #expect(try store.collectGarbage(keeping: [first.manifest.digest]).blobs == 0)
        let root = RootImage.Identifier(second.configuration)
        _ = try store.rootImage(for: second)
        #expect(try store.collectGarbage().blobs == 3)
        #expect(test.blobs.count == 3)
        #expect(try store.remove(second))
        #expect(try store.collectGarbage(roots: [root]).rootImages == 0)
        let collected = try store.collectGarbage()
        #expect(collected.rootImages == 1)
        #expect(collected.bytes > 0)
        #expect(test.blobs == [])
        #expect(try store.usage().total == 0)
    }

    @Test("what somebody holds is not collected")
    func held() throws {
        let test = try TestStore()
        let image = try test.add(Self.image, as: "a:1")
        let root = try test.store.rootImage(for: image)
        let transfer = test.store.beginTransfer()
        for blob in image.content.blobs { #expect(try transfer.writer(for: blob) == nil) }
        let unfinished = Descriptor(mediaType: "x", of: [1, 2, 3])
        let writer = try #require(try transfer.writer(for: unfinished))
        try [UInt8(1)].withUnsafeBytes { try writer.append($0) }
        try test.store.remove(image)
        let collected = try test.store.collectGarbage()
        #expect(collected.rootImages == 0)
        #expect(collected.blobs == 1)  // the manifest
        #expect(test.leftovers.count == 1)
        #expect(test.store.contains(image.content.layers[0].digest))
        // Another image of the same layers, committed by the transfer, finds them.
        try transfer.write(Self.image.manifest, as: image.manifest)
        try transfer.commit(image.manifest, as: nil)
        #expect(try test.store.list().count == 1)
        withExtendedLifetime(root) {}
    }

    @Test("a blob is continued where the last attempt ended")
    func resumed() throws {
        let test = try TestStore()
        let bytes = noise(100_000)
        let descriptor = Descriptor(mediaType: MediaType.layer, of: bytes)
        do {
            let writer = try #require(try test.store.beginTransfer().writer(for: descriptor))
            #expect(writer.offset == 0)
            try bytes[..<40_000].withUnsafeBytes { try writer.append($0) }
            #expect(throws: ImageError.sizeMismatch(what: "blob \(descriptor.digest)", expected: 100_000, found: 40_000)) {
                try writer.finish()
            }
        }
        #expect(!test.store.contains(descriptor.digest))
        let again = try ImageStore(root: test.store.root)
        let writer = try #require(try again.beginTransfer().writer(for: descriptor))
        #expect(writer.offset == 40_000)
        try bytes[40_000...].withUnsafeBytes { try writer.append($0) }
        try writer.finish()
        #expect(test.leftovers == [])
        let blob = try #require(try again.openBlob(descriptor.digest))
        #expect(blob.size == 100_000)
        // A server that cannot continue.
        let other = try TestStore()
        let restarted = try #require(try other.store.beginTransfer().writer(for: descriptor))
        try bytes[..<10].withUnsafeBytes { try restarted.append($0) }
        try restarted.restart()
        #expect(restarted.offset == 0)
        try bytes.withUnsafeBytes { try restarted.append($0) }
        try restarted.finish()
        #expect(other.store.contains(descriptor.digest))
    }

    @Test("a blob with a wrong digest, or too long, is refused and leaves nothing")
    func refused() throws {
        let test = try TestStore()
        let descriptor = Descriptor(mediaType: MediaType.layer, of: [1, 2, 3])
        let transfer = test.store.beginTransfer()
        let writer = try #require(try transfer.writer(for: descriptor))
        try [UInt8]([1, 2, 4]).withUnsafeBytes { try writer.append($0) }
        do {
            try [UInt8(1)].withUnsafeBytes { try writer.append($0) }
            Issue.record("too long")
        } catch let error as ImageError {
            #expect("\(error)".contains("expected 3 bytes"))
        }
        #expect(test.leftovers == [])
        let second = try #require(try transfer.writer(for: descriptor))
        try [UInt8]([1, 2, 4]).withUnsafeBytes { try second.append($0) }
        #expect(throws: ImageError.digestMismatch(what: "blob", expected: descriptor.digest, found: Digest(of: [1, 2, 4]))) {
            try second.finish()
        }
        #expect(test.leftovers == [])
        #expect(test.blobs == [])
        #expect(throws: ImageError.self) { try transfer.write([1, 2, 4], as: descriptor) }
        #expect(test.leftovers == [])
        // SHA-512 works as well.
        let long = Descriptor(mediaType: "x", digest: Digest(of: [9], .sha512), size: 1)
        try transfer.write([9], as: long)
        #expect(test.store.contains(long.digest))
    }

    @Test("an image is not named unless all of it is there and fits together")
    func incomplete() throws {
        let test = try TestStore()
        let transfer = test.store.beginTransfer()
        try transfer.write(Self.image.manifest, as: Self.image.descriptor)
        #expect(throws: ImageError.self) { try transfer.commit(Self.image.descriptor, as: try ImageReference("a")) }
        #expect(try test.store.list().isEmpty)
        var fewer = TestImage([tar { $0.file("a", "a") }])
        let content = try ImageManifest(json: fewer.manifest, what: "test")
        fewer.manifest = Array(#"""
            {"schemaVersion":2,"config":{"mediaType":"\#(MediaType.configuration)","digest":"\#(content.config.digest)",
            "size":\#(content.config.size)},"layers":[]}
            """#.utf8)
        fewer.descriptor = Descriptor(mediaType: MediaType.manifest, of: fewer.manifest)
        do {
            try test.add(fewer)
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains("the manifest has 0 layers, the configuration 1"))
        }
    }

    @Test("a damaged file is found, removed, and named in the error", arguments: ["manifest", "config", "layer"])
    func damaged(what: String) throws {
        let test = try TestStore()
        let image = try test.add(Self.image, as: "a:1")
        try test.add(Self.other, as: "b:1")
        let digest = switch what {
        case "manifest": image.manifest.digest
        case "config": image.id
        default: image.content.layers[0].digest
        }
        let name = "root/images/blobs/sha256/\(digest.hex)"
        var bytes = try #require(test.read(name))
        bytes[bytes.count / 2] ^= 1
        try test.write(name, bytes)
        do {
            let found = try #require(try test.store.resolve("a:1"))
            _ = try test.store.rootImage(for: found)
            Issue.record("no error")
        } catch let error as ImageError {
            #expect("\(error)".contains("damaged"), "\(error)")
        }
        #expect(test.read(name) == nil)
        #expect(test.leftovers == [])
        // The other image is listed, and a new copy repairs this one.
        var complaints: [ImageError] = []
        #expect(try test.store.list { complaints.append($0) }.count == (what == "layer" ? 2 : 1))
        #expect(complaints.count == (what == "layer" ? 0 : 1))
        _ = try test.store.collectGarbage()
        _ = try test.store.rootImage(for: try test.add(Self.image, as: "a:1"))
    }

    @Test("an index.json that is none names the file")
    func damagedIndex() throws {
        let test = try TestStore()
        try test.write("root/images/index.json", Array("{".utf8))
        do {
            _ = try test.store.list()
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains("index.json: not a JSON document"), "\(error)")
        }
    }
}
