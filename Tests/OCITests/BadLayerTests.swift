import Glibc
import LinuxSystem
@testable import OCI
import TestSupport
import Testing

/// Layers that no image should have, and what is said of them.
struct BadLayerCase: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let layers: [TestLayer]
    let reason: String

    init(_ name: String, _ reason: String, _ build: (inout TarBuilder) -> Void) {
        self.init(name, reason, layers: [TestLayer(tar: tar(build))])
    }

    init(_ name: String, _ reason: String, layers: [TestLayer]) {
        (testDescription, self.reason, self.layers) = (name, reason, layers)
    }
}

@Suite("Bad layers")
struct BadLayerTests {
    @Test("are refused with one line, and leave nothing", arguments: cases)
    func refused(_ layers: BadLayerCase) throws {
        let test = try TestStore()
        let image = try test.add(TestImage(layers: layers.layers))
        do {
            _ = try test.store.rootImage(for: image, maximumUnpacked: 64 << 20)
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains(layers.reason), "\(error)")
            #expect(!"\(error)".contains("\n"))
            #expect("\(error)".utf8.count < 600)
        }
        #expect(test.leftovers == [])
        #expect(try test.store.existingRootImage(RootImage.Identifier(image.configuration)) == nil)
    }

    private static let good = tar { $0.file("a", noise(300_000)) }

    /// A layer whose compressed bytes are changed; its diff id is that of the good tar.
    private static func broken(_ compression: LayerCompression, _ change: (inout [UInt8]) -> Void) -> [TestLayer] {
        var blob = compressed(good, compression)
        change(&blob)
        return [TestLayer(tar: good, compression: compression, blob: blob)]
    }

    private static let longName = String(repeating: "n", count: 256)

    static let cases: [BadLayerCase] = [
        BadLayerCase("a name that leads out", #"layer 1 of 1"#) { $0.file("../x") },
        BadLayerCase("a name that leads out and back in", #"".." leads out of the image"#) { $0.file("a/../../root/x") },
        BadLayerCase("a hard link that leads out", #"".." leads out"#) { $0.hardLink("a", to: "../../etc/passwd") },
        BadLayerCase("a hard link whose directory takes the place of its target", "which is a directory", layers: [
            TestLayer(tar: tar { $0.file("f", "f"); $0.symbolicLink("s", to: "d") }), TestLayer(tar: tar {
                $0.hardLink("s/x", to: "q/f")
                $0.symbolicLink("s", to: "f")
                $0.symbolicLink("q", to: ".")
            }),
        ]),
        BadLayerCase("a hard link to nothing", #"hard link to "b", which is not in the image"#) { $0.hardLink("a", to: "b") },
        BadLayerCase("a hard link to a directory", "which is a directory") { $0.directory("d"); $0.hardLink("a", to: "d") },
        BadLayerCase("symbolic links in a circle on the way", "too many symbolic links") {
            $0.symbolicLink("a", to: "b")
            $0.symbolicLink("b", to: "a")
            $0.file("a/x")
        },
        BadLayerCase("a file below a file of its own layer", "is not a directory") { $0.file("a"); $0.file("a/b") },
        BadLayerCase("a root that is a file", "the root is a directory") { $0.file(".", "x") },
        BadLayerCase("a name of 256 bytes", "the longest is 255") { $0.file(longName) },
        BadLayerCase("a path of more than 4095 bytes", "the longest is 4095") {
            $0.file((0..<2100).map { _ in "d/" }.joined() + "x")
        },
        BadLayerCase("a symbolic link to nothing", "expected 1 to 4095") { $0.symbolicLink("a", to: "") },
        BadLayerCase("a symbolic link of 4096 bytes", "expected 1 to 4095") {
            $0.symbolicLink("a", to: String(repeating: "x", count: 4096))
        },
        BadLayerCase("a whiteout of no name", "a whiteout of no name") { $0.file("d/.wh.") },
        BadLayerCase("a whiteout of ..", "a whiteout of no name") { $0.file("d/.wh...") },
        BadLayerCase("a device that no kernel has", "expected up to 4095:1048575") { $0.device("a", type: "3", 5000, 1) },
        BadLayerCase("an owner that no kernel has", "expected 0 to 4294967294") {
            $0.file("a", "", .init(records: [("uid", Array("4294967295".utf8))]))
        },
        BadLayerCase("extended attributes that do not fit", "bytes of extended attributes, ext4 has room for about 4000") {
            $0.file("a", "", .init(records: [("SCHILY.xattr.user.a", [UInt8](repeating: 1, count: 5000))]))
        },
        BadLayerCase("more names for a file than ext4 takes", "ext4 takes no more") { tar in
            tar.file("a")
            for index in 0..<65_000 { tar.hardLink("l/\(index)", to: "a") }
        },
        BadLayerCase("a map of a sparse file that wants all memory", "of more than 16 MiB") { tar in
            let map = Array(String(repeating: "0\n0\n", count: 5 << 20).utf8)
            tar.file("a", Array("\(5 << 20)\n".utf8) + map + [UInt8](repeating: 0, count: 512), .init(records: [
                ("GNU.sparse.major", Array("1".utf8)), ("GNU.sparse.minor", Array("0".utf8)), ("GNU.sparse.name", Array("a".utf8)),
                ("GNU.sparse.realsize", Array("5".utf8)),
            ]))
        },
        BadLayerCase("a tar that ends in a file", "runcated", layers: [TestLayer(tar: Array(good[..<100_000]))]),
        BadLayerCase("a tar that ends in a header", "Unrecognized archive format", layers: [TestLayer(tar: Array(good[..<300]))]),
        BadLayerCase("something that is no tar", "layer 1 of 1", layers: [TestLayer(tar: [UInt8](repeating: 0x41, count: 5000))]),
        BadLayerCase("gzip data that ends early", "truncated", layers: broken(.gzip) { $0.removeLast(1000) }),
        BadLayerCase("gzip data without its last byte", "truncated", layers: broken(.gzip) { $0.removeLast() }),
        BadLayerCase("zstd data that ends early", "truncated", layers: broken(.zstd) { $0.removeLast(1000) }),
        BadLayerCase("gzip data with a wrong checksum", "damaged gzip data", layers: broken(.gzip) { $0[$0.count - 6] ^= 1 }),
        BadLayerCase("gzip data with something behind it", "not gzip after gzip", layers: broken(.gzip) { $0 += [1, 2, 3] }),
        BadLayerCase("damaged zstd data", "damaged zstd data", layers: broken(.zstd) { $0[5] ^= 0xFF; $0[6] ^= 0xFF }),
        BadLayerCase("a layer compressed with xz", "xz or bzip2",
                     layers: broken(.uncompressed) { $0 = [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0, 0] }),
        BadLayerCase("a layer that is not what the configuration says", "not what the image's configuration says",
                     layers: [TestLayer(tar: good, diffID: Digest(of: [1]))]),
        BadLayerCase("the second of two layers", "layer 2 of 2",
                     layers: [TestLayer(tar: good), TestLayer(tar: tar { $0.file("../x") })]),
        BadLayerCase("a gzip bomb", "unpacks to more than 67108864 bytes; raise --max-unpacked", layers: [bomb(.gzip)]),
        BadLayerCase("a zstd bomb", "unpacks to more than 67108864 bytes", layers: [bomb(.zstd)]),
        BadLayerCase("a bomb behind the end of the tar", "unpacks to more than 67108864 bytes",
                     layers: [TestLayer(tar: good + [UInt8](repeating: 0, count: 80 << 20), compression: .zstd)]),
        BadLayerCase("two layers that are too large together", "unpacks to more than 67108864 bytes", layers: [half, half]),
        BadLayerCase("a file of more than 16 TiB", "16 TiB") { tar in
            tar.file("a", Array("1\n99999999999999\n0\n".utf8) + [UInt8](repeating: 0, count: 494), .init(records: [
                ("GNU.sparse.major", Array("1".utf8)), ("GNU.sparse.minor", Array("0".utf8)), ("GNU.sparse.name", Array("a".utf8)),
                ("GNU.sparse.realsize", Array("99999999999999".utf8)),
            ]))
        },
    ]

    private static func bomb(_ compression: LayerCompression) -> TestLayer {
        TestLayer(tar: tar { $0.file("zeros", [UInt8](repeating: 0, count: 80 << 20)) }, compression: compression)
    }

    private static let half = TestLayer(tar: tar { $0.file("zeros", [UInt8](repeating: 0, count: 40 << 20)) }, compression: .zstd)

    private static let greedy: [(String, FileTree.Limits, @Sendable (inout TarBuilder) -> Void)] = [
        ("more than 100 files", FileTree.Limits(entries: 100), { tar in for index in 0..<60 { tar.file("d\(index)/f") } }),
        ("more than 100 files", FileTree.Limits(entries: 100), { tar in for _ in 0..<200 { tar.file("f") } }),
        ("bytes of names", FileTree.Limits(text: 3000), { tar in
            for index in 0..<10 { tar.symbolicLink("l\(index)", to: String(repeating: "x", count: 400)) }
        }),
        ("bytes of extended attributes", FileTree.Limits(attributes: 3000), { tar in
            for index in 0..<10 { tar.file("f\(index)", "", .init(records: [("SCHILY.xattr.user.a", noise(400))])) }
        }),
        ("ranges of data", FileTree.Limits(extents: 5), { tar in for index in 0..<10 { tar.file("f\(index)", "x") } }),
        ("too many symbolic links", FileTree.Limits(followed: 20_000), { tar in
            for index in 0..<39 {
                tar.symbolicLink("l\(index)", to: (0..<50).map { _ in "d/../" }.joined() + (index == 38 ? "d" : "l\(index + 1)"))
            }
            tar.directory("d")
            for index in 0..<20 { tar.file("l0/\(index % 2)/x") }
        }),
    ]

    @Test("cost no more memory and time than is allowed", arguments: 0..<6)
    func greedy(index: Int) throws {
        let (reason, limits, build) = Self.greedy[index]
        let test = try TestStore()
        let image = try test.add(TestImage([tar(build)]))
        do {
            _ = try test.store.rootImage(for: image, limits: limits)
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains(reason), "\(error)")
        }
        #expect(test.leftovers == [])
        // It is not refused as such.
        _ = try test.store.rootImage(for: image)
    }

    @Test("a large file of nothing but a hole costs nothing")
    func hole() throws {
        let size = 15 << 40
        let map = Array("1\n\(size)\n0\n".utf8)
        let test = try TestStore()
        let root = try test.unpack([tar { tar in
            tar.file("a", map + [UInt8](repeating: 0, count: 512 - map.count), .init(records: [
                ("GNU.sparse.major", Array("1".utf8)), ("GNU.sparse.minor", Array("0".utf8)), ("GNU.sparse.name", Array("a".utf8)),
                ("GNU.sparse.realsize", Array("\(size)".utf8)),
            ]))
        }])
        #expect(try Ext4Listing(root.path)["/a"]?.size == UInt64(size))
        #expect(try complaints(about: root.path) == "")
    }

    @Test("an ENOMEM of somebody else, earlier, is not taken for one of a name that is not UTF-8")
    func staleErrno() throws {
        let archive = tar { $0.file("x", "x", .init(records: [("path", [0x61, 0xFF, 0x62])])) }
        try archive.withUnsafeBytes { bytes in
            var isGiven = false
            let reader = try TarReader { () throws(LayerFailure) -> UnsafeRawBufferPointer? in
                errno = ENOMEM
                defer { isGiven = true }
                return isGiven ? nil : bytes
            }
            errno = ENOMEM
            #expect(try reader.nextEntry()?.size == 1)
        }
    }

    @Test("a full file system is said to be full, and nothing is left on it")
    func noSpace() throws {
        guard let full = try SmallFileSystem(size: 4 << 20) else { return }
        let image = TestImage([tar { $0.file("a", noise(3 << 20)) }])
        let store = try ImageStore(root: full.path("root"))
        let transfer = store.beginTransfer()
        for (digest, bytes) in image.blobs {
            try transfer.write(bytes, as: Descriptor(mediaType: "x", digest: digest, size: UInt64(bytes.count)))
        }
        let stored = try transfer.commit(image.descriptor, as: try ImageReference("a"))
        do {
            _ = try store.rootImage(for: stored)
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains("no space left on the file system"), "\(error)")
        }
        #expect(try names(inDirectory: store.roots) == [])
        let other = noise(2 << 20)
        #expect(throws: ImageError.self) { try store.beginTransfer().write(other, as: Descriptor(mediaType: "x", of: other)) }
        #expect(try names(inDirectory: full.path("root/images/partial")) == [])
        #expect(try store.list().count == 1)
    }
}
