import LinuxSystem
import OCI
import TestSupport
import Testing

/// Who asks for an image by its digest gets that one, or none.
@Suite("Names with a digest")
struct PinnedNameTests {
    private static let image = TestImage([tar { $0.file("a", "a") }])
    private static let other = TestImage([tar { $0.file("b", "b") }])
    private static let forged = "docker.io/library/debian@sha256:" + String(repeating: "1", count: 64)
    private static var right: String { "docker.io/library/debian@\(image.descriptor.digest)" }

    @Test("an archive or a layout that claims another digest is refused, and leaves nothing", arguments: [true, false])
    func forgedSource(isArchive: Bool) throws {
        let test = try TestStore()
        func load(_ name: String) throws -> [StoredImage] {
            let files = Self.image.layout(name: name)
            guard isArchive else {
                for file in files { try test.write("layout/\(file.name)", file.bytes) }
                return try test.store.load(.ociDirectory(path: test.path("layout"), name: nil))
            }
            try test.write("archive", tar { tar in for file in files { tar.file(file.name, file.bytes) } })
            return try test.store.load(.archive(path: test.path("archive"), name: nil))
        }
        let error = try #require(throws: ImageError.self) { try load(Self.forged) }
        #expect(error.description.contains("the image has the digest \(Self.image.descriptor.digest)"), "\(error)")
        #expect(try test.store.list().isEmpty)
        #expect(test.blobs == [])
        #expect(try load(Self.right).map { $0.names.map(\.description) } == [[Self.right]])
        #expect(try test.store.resolve(Self.right) != nil)
    }

    @Test("no image gets a name with a digest that it has not")
    func refused() throws {
        let test = try TestStore()
        #expect(throws: ImageError.self) { try test.add(Self.image, as: Self.forged) }
        #expect(try test.store.list().isEmpty)
        let source = Digest(of: "an index".utf8)
        let image = try test.add(Self.image, as: "debian:12", source: source)
        #expect(throws: ImageError.self) { try test.store.tag(image, as: try ImageReference(Self.forged)) }
        #expect(throws: ImageError.self) { try test.store.tag(image, as: try ImageReference("x:1@\(Self.other.descriptor.digest)")) }
        for name in [Self.right, "debian@\(source)"] { try test.store.tag(image, as: try ImageReference(name)) }
        #expect(try test.store.list().map(\.names.count) == [3])
    }

    @Test("a name that an older version took as it was is found by nobody")
    func forgedEarlier() throws {
        let test = try TestStore()
        let image = try test.add(Self.image, as: "debian:12")
        let index = String(decoding: try #require(test.read("root/images/index.json")), as: UTF8.self)
        let parts = index.split(separator: "docker.io/library/debian:12", omittingEmptySubsequences: false)
        try #require(parts.count == 2)
        try test.write("root/images/index.json", Array(parts.joined(separator: Self.forged).utf8))
        let reference = try ImageReference(Self.forged)
        #expect(try test.store.list().map { $0.names.map(\.description) } == [[Self.forged]])
        #expect(try test.store.resolve(reference) == nil)
        #expect(try test.store.resolve(Self.forged) == nil)
        #expect(try test.store.manifestDigest(of: reference) == nil)
        #expect(try test.store.resolve(Self.right)?.id == image.id)
        #expect(try test.store.remove(reference))
    }

    @Test("the digest of an index is no name in an archive, which has no such index", arguments: ArchiveFormat.allCases)
    func saved(format: ArchiveFormat) throws {
        let (first, second) = (try TestStore(), try TestStore())
        let source = Digest(of: "an index".utf8)
        let image = try first.add(Self.image, as: "debian@\(source)", source: source)
        let path = first.path("saved")
        try first.store.save([image], as: format, to: path)
        let loaded = try second.store.load(format == .ociDirectory ? .ociDirectory(path: path, name: nil) : .archive(path: path, name: nil))
        #expect(loaded.map(\.id) == [image.id])
        #expect(loaded.map(\.names) == [[]])
    }
}
