import LinuxSystem
import OCI
import ProcessSupport
import TestSupport
import Testing

@Suite("Archives and layouts")
struct ArchiveTests {
    private static let layers = [tar { $0.file("a", "a") }, tar { $0.file("b", noise(100_000)) }]
    private static let image = TestImage(layers, compression: .gzip, config: #"{"Cmd":["/a"]}"#)

    private func writeLayout(_ image: TestImage, _ test: TestStore, name: String?) throws {
        for file in image.layout(name: name) { try test.write("layout/\(file.name)", file.bytes) }
    }

    @Test("a layout is loaded, under the name it gives", arguments: [
        ("quay.io/a/b:1", "quay.io/a/b:1"), ("1.0", "localhost/layout:1.0"), (nil, nil), ("not a name!", nil),
    ])
    func directory(name: String?, expected: String?) throws {
        let test = try TestStore()
        try writeLayout(Self.image, test, name: name)
        let loaded = try test.store.load(.ociDirectory(path: test.path("layout"), name: nil))
        #expect(loaded.map { $0.names.map(\.description) } == [expected.map { [$0] } ?? []])
        #expect(loaded[0].configuration.config.cmd == ["/a"])
        #expect(Set(test.blobs) == Set(Self.image.blobs.keys.map(\.hex)))
        #expect(test.leftovers == [])
        // Once more, under another name.
        let named = try test.store.load(.ociDirectory(path: test.path("layout"), name: name), as: try ImageReference("x:2"))
        #expect(named.map { $0.names.map(\.familiar).contains("x:2") } == [true])
    }

    @Test("what is saved is loaded again, in every form", arguments: ArchiveFormat.allCases)
    func saved(format: ArchiveFormat) throws {
        let (first, second) = (try TestStore(), try TestStore())
        let image = try first.add(Self.image, as: "quay.io/a/b:1")
        try first.store.tag(image, as: try ImageReference("app:2"))
        let path = first.path("saved")
        try first.store.save([try #require(try first.store.resolve("app:2"))], as: format, to: path)
        #expect(directoryEntries(first.directory) == ["root", "saved"])
        let source = format == .ociDirectory ? ImageSource.ociDirectory(path: path, name: nil) : .archive(path: path, name: nil)
        let loaded = try second.store.load(source)
        #expect(loaded.map { $0.names.map(\.familiar) } == [["app:2", "quay.io/a/b:1"]])
        #expect(loaded[0].id == image.id)
        // The bytes are the same, but for the Docker archive, which has layers uncompressed.
        #expect((loaded[0].manifest.digest == image.manifest.digest) == (format != .dockerArchive))
        #expect(second.leftovers == [])
        #expect(second.blobs.count == 4)
        let root = try second.store.rootImage(for: loaded[0])
        #expect(try Ext4Listing(root.path).paths == ["/a", "/b"])
    }

    @Test("an archive may hold several images, of which one can be asked for")
    func several() throws {
        let (first, second) = (try TestStore(), try TestStore())
        let images = [try first.add(Self.image, as: "a:1"), try first.add(TestImage([Self.layers[0]]), as: "b:1")]
        for format in [ArchiveFormat.ociArchive, .dockerArchive] {
            let path = first.path("saved")
            try first.store.save(images, as: format, to: path)
            let one = try second.store.load(.archive(path: path, name: "b:1"))
            #expect(one.map(\.id) == [images[1].id])
            #expect(try second.store.list().count == 1)
            #expect(throws: ImageError.self) { try second.store.load(.archive(path: path, name: nil), as: try ImageReference("x")) }
            #expect(throws: ImageError.self) { try second.store.load(.archive(path: path, name: "c:1")) }
            #expect(try second.store.load(.archive(path: path, name: nil)).count == 2)
            // What only the image not asked for has is gone again.
            try second.store.list().forEach { try second.store.remove($0) }
            _ = try second.store.collectGarbage()
        }
    }

    @Test("a compressed archive, from a pipe", arguments: LayerCompression.allCases)
    func pipe(compression: LayerCompression) throws {
        let test = try TestStore()
        let archive = tar { tar in for file in Self.image.layout(name: "a:1") { tar.file("./\(file.name)", file.bytes) } }
        try test.write("archive", compressed(archive, compression))
        let loaded = try test.store.load(.archive(path: test.path("archive"), name: nil))
        #expect(loaded.map { $0.names.map(\.familiar) } == [["a:1"]])
    }

    @Test("a Docker archive of the old kind, whose equal layers are links")
    func dockerLinks() throws {
        let test = try TestStore()
        let image = TestImage([Self.layers[0], Self.layers[0], Self.layers[1]])
        try test.write("archive", tar { tar in
            tar.directory("l1")
            tar.file("l1/VERSION", "1.0")
            tar.file("l1/layer.tar", Self.layers[0])
            tar.symbolicLink("l2/layer.tar", to: "../l1/layer.tar")
            tar.file("l3.tar", Self.layers[1])
            tar.hardLink("l4.tar", to: "l3.tar")
            tar.file("config.json", image.config)
            tar.file("manifest.json", #"""
                [{"Config":"config.json","RepoTags":["a:1","b:2"],"Layers":["l1/layer.tar","l2/layer.tar","l4.tar"]}]
                """#)
        })
        let loaded = try test.store.load(.archive(path: test.path("archive"), name: nil))
        #expect(loaded.map { $0.names.map(\.familiar) } == [["a:1", "b:2"]])
        #expect(loaded[0].id == Digest(of: image.config))
        // The layers, the configuration and the manifest made of them; the file VERSION is nobody's.
        #expect(test.blobs.count == 4)
        #expect(test.leftovers == [])
    }

    @Test("an index of several platforms gives the one for guests")
    func platforms() throws {
        let test = try TestStore()
        let wanted = TestImage([Self.layers[0]]), other = TestImage([Self.layers[1]])
        for nested in [false, true] {
            func entry(_ image: TestImage, _ architecture: String) -> String {
                #"""
                {"mediaType":"\#(MediaType.manifest)","digest":"\#(image.descriptor.digest)","size":\#(image.descriptor.size),
                "platform":{"os":"linux","architecture":"\#(architecture)"}}
                """#
            }
            let inner = Array(#"{"schemaVersion":2,"manifests":[\#(entry(other, "arm64")),\#(entry(wanted, "amd64"))]}"#.utf8)
            let digest = Digest(of: inner)
            let outer = Array(#"""
                {"schemaVersion":2,"manifests":[{"mediaType":"\#(MediaType.index)","digest":"\#(digest)","size":\#(inner.count)}]}
                """#.utf8)
            for image in [wanted, other] { try writeLayout(image, test, name: nil) }
            try test.write("layout/index.json", nested ? outer : inner)
            try test.write("layout/blobs/sha256/\(digest.hex)", inner)
            let source = ImageSource.ociDirectory(path: test.path("layout"), name: nil)
            let loaded = try test.store.load(source)
            #expect(loaded.map(\.id) == [Digest(of: wanted.config)])
            #expect(loaded[0].digests.contains(digest) == nested)
            #expect(try test.store.load(source, platform: Platform("linux/arm64")).map(\.id) == [Digest(of: other.config)])
            do {
                _ = try test.store.load(source, platform: Platform("linux/s390x"))
                Issue.record("no error")
            } catch {
                #expect("\(error)".hasSuffix("no image for linux/s390x; there are linux/arm64, linux/amd64"), "\(error)")
            }
        }
    }

    @Test("what is no archive, or a damaged one, is refused and leaves nothing", arguments: [
        "missing", "text", "empty", "no index", "truncated", "wrong digest", "missing layer", "wrong layer", "no layer", "bad json",
        "sizes", "large index",
    ])
    func refused(kind: String) throws {
        let test = try TestStore()
        var files = Self.image.layout(name: "a:1")
        let layer = try ImageManifest(json: Self.image.manifest, what: "test").layers[1]
        let position = try #require(files.firstIndex { $0.name.hasSuffix(layer.digest.hex) })
        var expected = ""
        var archive: [UInt8]?
        switch kind {
        case "missing": expected = "No such file or directory"
        case "text": (archive, expected) = (Array("hello".utf8), "archive")
        case "empty": (archive, expected) = ([], "neither an OCI image layout")
        case "no index":
            files.removeAll { $0.name == "index.json" }
            expected = "neither an OCI image layout"
        case "truncated":
            let whole = tar { tar in for file in files { tar.file(file.name, file.bytes) } }
            (archive, expected) = (Array(whole[..<(whole.count - 3000)]), "runcated")
        case "wrong digest":
            files[position].bytes[20] ^= 1
            expected = "digest mismatch"
        case "missing layer":
            files.remove(at: position)
            expected = "incomplete: \(layer.digest) is not in the store"
        case "wrong layer", "no layer":
            let name = kind == "wrong layer" ? "l.tar" : "m.tar"
            files = [("c.json", TestImage([Self.layers[0]]).config), ("l.tar", Self.layers[1]),
                     ("manifest.json", Array(#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["\#(name)"]}]"#.utf8))]
            expected = kind == "wrong layer" ? "l.tar: digest mismatch" : #""m.tar" is not in it"#
        case "bad json":
            files = files.map { $0.name == "index.json" ? ("index.json", Array("{".utf8)) : $0 }
            expected = "index.json: not a JSON document"
        case "sizes":
            let index = #"""
                {"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"\#(Self.image.descriptor.digest)","size":5}]}
                """#
            files = files.map { $0.name == "index.json" ? ("index.json", Array(index.utf8)) : $0 }
            expected = "expected 5 bytes"
        default:
            files = files.map { $0.name == "index.json" ? ("index.json", [UInt8](repeating: 32, count: 5 << 20)) : $0 }
            expected = "at most 4194304"
        }
        if kind != "missing" {
            try test.write("archive", archive ?? tar { tar in for file in files { tar.file(file.name, file.bytes) } })
        }
        do {
            let loaded = try test.store.load(.archive(path: test.path("archive"), name: nil))
            Issue.record("\(loaded)")
        } catch {
            #expect("\(error)".contains(expected), "\(error)")
            #expect(!"\(error)".contains("\n"))
        }
        #expect(test.leftovers == [])
        #expect(test.blobs == [])
        #expect(try test.store.list().isEmpty)
    }

    @Test("a layout with a file missing or wrong is refused and leaves nothing")
    func badLayout() throws {
        let layer = try ImageManifest(json: Self.image.manifest, what: "test").layers[1].digest.hex
        for change in ["remove", "shorten", "lengthen", "flip"] {
            let test = try TestStore()
            try writeLayout(Self.image, test, name: "a:1")
            let name = "layout/blobs/sha256/\(layer)"
            var bytes = try #require(test.read(name))
            switch change {
            case "remove": try? removeTree(test.path(name))
            case "shorten": bytes.removeLast()
            case "lengthen": bytes.append(0)
            default: bytes[9] ^= 1
            }
            if change != "remove" { try test.write(name, bytes) }
            #expect(throws: ImageError.self, "\(change)") {
                try test.store.load(.ociDirectory(path: test.path("layout"), name: nil))
            }
            #expect(test.blobs == [], "\(change)")
            #expect(test.leftovers == [], "\(change)")
        }
        let test = try TestStore()
        #expect(throws: ImageError.self) { try test.store.load(.ociDirectory(path: test.path("none"), name: nil)) }
        #expect(throws: ImageError.self) { try test.store.load(.ociDirectory(path: test.directory, name: nil)) }
    }

    @Test("saving to a place that does not take it leaves nothing there")
    func saveRefused() throws {
        let test = try TestStore()
        let image = try test.add(Self.image)
        #expect(throws: ImageError.self) { try test.store.save([image], as: .ociArchive, to: test.path("none/x")) }
        try test.write("there", [1])
        #expect(throws: ImageError.self) { try test.store.save([image], as: .ociDirectory, to: test.path("there")) }
        #expect(test.read("there") == [1])
        if let full = try SmallFileSystem(size: 64 << 10) {
            for format in ArchiveFormat.allCases {
                do {
                    try test.store.save([image], as: format, to: full.path("saved"))
                    Issue.record("no error")
                } catch {
                    #expect("\(error)".contains("no space left"), "\(error)")
                }
                #expect(directoryEntries(full.path("")) == [], "\(format)")
            }
        }
    }
}
