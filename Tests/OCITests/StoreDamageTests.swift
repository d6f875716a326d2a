import LinuxSystem
import OCI
import TestSupport
import Testing

@Suite("What the disk or somebody did to the store of images")
struct StoreDamageTests {
    private static let image = TestImage([tar { $0.file("a", "a") }])

    @Test("files and directories that are not the store's stay")
    func foreign() throws {
        let test = try TestStore()
        let digits = String(repeating: "a", count: 64)
        let foreign = ["roots/notes", "roots/backup.ext4", "roots/backup.ext4.partial", "roots/writable-mine.ext4", "roots/folder/inside",
                       "roots/\(digits).ext4/inside", "roots/\(digits)", "images/partial/README", "images/partial/unnamed-mine",
                       "images/partial/unnamed-1/inside", "images/blobs/sha256/notes", "images/blobs/sha256/folder/inside"]
        let own = ["roots/\(String(repeating: "b", count: 64)).ext4", "roots/writable-1-16777216.ext4",
                   "roots/writable-1-16777216.ext4.partial", "images/partial/unnamed-17", "images/partial/sha256-\(digits)",
                   "images/blobs/sha256/\(digits)"]
        for name in foreign + own { try test.write("root/\(name)", [1]) }
        let store = try ImageStore(root: test.store.root)
        _ = try store.collectGarbage()
        for name in foreign { #expect(test.read("root/\(name)") == [1], "\(name)") }
        for name in own { #expect(test.read("root/\(name)") == nil, "\(name)") }
    }

    @Test("a blob of another length is removed when it is read, and a new copy repairs the image",
          arguments: ["manifest", "config"], [-1, 1])
    func wrongLength(what: String, change: Int) throws {
        let test = try TestStore()
        let image = try test.add(Self.image, as: "a:1")
        let name = "root/images/blobs/sha256/\((what == "manifest" ? image.manifest.digest : image.id).hex)"
        let bytes = try #require(test.read(name))
        try test.write(name, change < 0 ? Array(bytes.dropLast()) : bytes + [0])
        let error = try #require(throws: ImageError.self) { try test.store.resolve("a:1") }
        #expect(error.description.contains("was damaged and is removed"), "\(error)")
        #expect(test.read(name) == nil)
        try test.add(Self.image, as: "a:1")
        #expect(try test.store.resolve("a:1")?.id == image.id)
    }

    @Test("a blob of another length that nobody has read is replaced by the next transfer", arguments: ["manifest", "config", "layer"])
    func transferred(what: String) throws {
        let test = try TestStore()
        let image = try test.add(Self.image, as: "a:1")
        let digest = what == "manifest" ? image.manifest.digest : what == "config" ? image.id : image.content.layers[0].digest
        let name = "root/images/blobs/sha256/\(digest.hex)"
        let bytes = try #require(test.read(name))
        try test.write(name, Array(bytes.dropLast()))
        try test.add(Self.image, as: "a:1")
        #expect(test.read(name) == bytes)
    }

    @Test("a whole blob stays when it is the descriptor that has the wrong size")
    func wrongDescriptor() throws {
        let test = try TestStore()
        let image = try test.add(Self.image, as: "a:1")
        let layer = image.content.layers[0]
        let wrong = Descriptor(mediaType: layer.mediaType, digest: layer.digest, size: layer.size + 1)
        let expected = ImageError.sizeMismatch(what: "blob \(layer.digest)", expected: layer.size + 1, found: layer.size)
        #expect(throws: expected) { _ = try test.store.beginTransfer().writer(for: wrong) }
        let manifest = Descriptor(mediaType: image.manifest.mediaType, digest: image.manifest.digest, size: image.manifest.size - 1)
        let error = try #require(throws: ImageError.self) { try test.store.readManifest(manifest, image: "a:1") }
        #expect(error.description.contains("expected \(manifest.size) bytes"), "\(error)")
        #expect(Set(test.blobs) == Set(Self.image.blobs.keys.map(\.hex)))
    }

    @Test("an image whose manifest is damaged or gone is removed by its name")
    func removed() throws {
        let test = try TestStore()
        let reference = try ImageReference("a:1")
        for isGone in [false, true] {
            let image = try test.add(Self.image, as: "a:1")
            let name = "root/images/blobs/sha256/\(image.manifest.digest.hex)"
            if isGone { try removeFile(test.path(name)) } else { try test.write(name, [1, 2, 3]) }
            #expect(try test.store.manifestDigest(of: reference) == image.manifest.digest)
            #expect(try test.store.remove(reference))
            #expect(try test.store.manifestDigest(of: reference) == nil)
            _ = try test.store.collectGarbage()
            #expect(test.blobs == [])
        }
    }

    /// Does something to a file that need not be writable.
    private func change(_ path: String, _ body: (borrowing FileDescriptor, UInt64) throws -> Void) throws {
        try FileDescriptor.open(path, .readOnly).setPermissions(0o600)
        let file = try FileDescriptor.open(path, .readWrite)
        try body(file, try file.status().size)
    }

    @Test("a root image that is not whole is made anew", arguments: ["shorter", "longer", "empty", "no file system"])
    func rootImage(kind: String) throws {
        let test = try TestStore()
        let image = try test.add(Self.image, as: "a:1")
        let identifier = RootImage.Identifier(image.configuration)
        let path = try test.store.rootImage(for: image).path
        #expect(try test.store.existingRootImage(identifier)?.path == path)
        try change(path) { file, size in
            switch kind {
            case "shorter": try file.truncate(to: size - 4096)
            case "longer": try file.truncate(to: size + 4096)
            case "empty": try file.truncate(to: 0)
            default: try [UInt8](repeating: 0, count: 1024).withUnsafeBytes { try file.writeAll($0, at: 1024) }
            }
        }
        #expect(try test.store.existingRootImage(identifier) == nil)
        let again = try test.store.rootImage(for: image)
        #expect(again.path == path)
        #expect(try Ext4Listing(path).paths == ["/a"])
        #expect(try complaints(about: path) == "")
        #expect(try test.store.existingRootImage(identifier)?.path == path)
        #expect(test.leftovers == [])
    }

    @Test("a template that is not whole is made anew", arguments: [8192, 0, 4096 - 1, (16 << 20) + 4096] as [UInt64])
    func template(length: UInt64) throws {
        let test = try TestStore()
        let size: UInt64 = 16 << 20
        try WritableLayer.make(at: test.path("first"), size: size, store: test.store)
        let path = test.store.roots + "/writable-1-\(size).ext4"
        try change(path) { file, _ in try file.truncate(to: length) }
        try WritableLayer.make(at: test.path("second"), size: size, store: test.store)
        for made in [path, test.path("first"), test.path("second")] {
            #expect(try fileStatus(at: made).size == size)
            #expect(try complaints(about: made) == "", "\(made)")
        }
        #expect(test.leftovers == [])
    }
}
