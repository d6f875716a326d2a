import LinuxSystem
import OCI
import TestSupport
import Testing

/// Nothing that an image says may trap, hang, or leave something behind; what is unpacked all the same is a clean file system.
@Suite("Mutated images")
struct MutationTests {
    /// A layer with something of everything.
    private static let layer = tar { tar in
        tar.directory("d", .init(records: [("SCHILY.xattr.user.a", [1, 2, 3])]))
        tar.file("d/a", "contents of a")
        tar.hardLink("d/b", to: "d/a")
        tar.symbolicLink("l", to: "d")
        tar.file("l/through", "x")
        tar.whiteout("gone", in: "d")
        tar.opaque("d")
        tar.device("null", type: "3", 1, 3)
        tar.fifo("p")
        tar.file(String(repeating: "long/", count: 40) + "name", "y", .init(user: 1 << 22))
        tar.file("sparse", Array("1\n4096\n3\n".utf8) + [UInt8](repeating: 0, count: 503) + Array("abc".utf8), .init(records: [
            ("GNU.sparse.major", Array("1".utf8)), ("GNU.sparse.minor", Array("0".utf8)), ("GNU.sparse.name", Array("sparse".utf8)),
            ("GNU.sparse.realsize", Array("8192".utf8)),
        ]))
    }

    /// Changes some bytes, or cuts, doubles or moves blocks.
    private static func mutate(_ bytes: [UInt8], _ random: inout SplitMix64, block: Int) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(4) where !bytes.isEmpty {
            let position = random.below(bytes.count)
            switch random.below(8) {
            case 0: bytes[position] ^= 1 << UInt8(random.below(8))
            case 1: bytes[position] = random.pick([0, 0xFF, 0x2E, 0x2F, 0x30, 0x37, 0x80])
            case 2: bytes.removeLast(min(bytes.count, random.below(block)))
            case 3: bytes[position] = UInt8(truncatingIfNeeded: random.next())
            default:
                let from = position / block * block
                let range = from..<min(from + block, bytes.count)
                let copy = Array(bytes[range])
                switch random.below(3) {
                case 0: bytes.removeSubrange(range)
                case 1: bytes.insert(contentsOf: copy, at: random.below(bytes.count / block + 1) * block)
                default: bytes.replaceSubrange(range, with: random.bytes(copy.count))
                }
            }
        }
        return bytes
    }

    /// Makes the checksums of headers right again, so that what is in them is looked at.
    private static func repaired(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for start in stride(from: 0, to: bytes.count - 511, by: 512) where Array(bytes[(start + 257)..<(start + 262)]) == Array("ustar".utf8) {
            for offset in 148..<156 { bytes[start + offset] = 32 }
            let sum = bytes[start..<(start + 512)].reduce(0) { $0 + Int($1) }
            let digits = String(sum, radix: 8)
            let text = String(repeating: "0", count: 6 - digits.count) + digits
            for (offset, digit) in text.utf8.enumerated() { bytes[start + 148 + offset] = digit }
            bytes[start + 154] = 0
        }
        return bytes
    }

    @Test("layers", arguments: 0..<4 as Range<UInt64>)
    func layers(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let test = try TestStore()
        let lower = tar { $0.directory("d"); $0.file("d/gone", "g"); $0.file("d/kept", "k") }
        var unpacked = 0
        for round in 0..<60 {
            var mutant = Self.mutate(Self.layer, &random, block: 512)
            if random.below(4) > 0 { mutant = Self.repaired(mutant) }
            let compression = random.pick(LayerCompression.allCases)
            var blob = compressed(mutant, compression)
            if random.below(8) == 0 { blob = Self.mutate(blob, &random, block: 64) }
            let layer = TestLayer(tar: mutant, compression: compression, blob: blob)
            let image = try test.add(TestImage(layers: [TestLayer(tar: lower), layer]))
            do {
                let root = try test.store.rootImage(for: image, maximumUnpacked: 16 << 20)
                unpacked += 1
                #expect(try complaints(about: root.path) == "", "seed \(seed) round \(round)")
                _ = try Ext4Listing(root.path)
            } catch let error as ImageError {
                #expect(!"\(error)".contains("\n") && "\(error)".utf8.count < 1000, "seed \(seed) round \(round): \(error)")
            }
            #expect(test.leftovers == [], "seed \(seed) round \(round)")
            try test.store.remove(image)
            _ = try test.store.collectGarbage()
        }
        #expect(unpacked > 0, "no mutant was unpacked: the mutations are too coarse")
        #expect(try test.store.usage().total == 0)
    }

    @Test("documents", arguments: 0..<4 as Range<UInt64>)
    func documents(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let image = TestImage([Self.layer], config: #"{"Cmd":["a"],"ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["NONE"]}}"#)
        let index = try #require(image.layout(name: "a:1").first { $0.name == "index.json" }).bytes
        for round in 0..<300 {
            let documents = [image.manifest, image.config, index]
            let mutant = Self.mutate(documents[round % 3], &random, block: 24)
            let what = "seed \(seed) round \(round)"
            do {
                switch round % 3 {
                case 1: _ = try ImageConfiguration(json: mutant, what: "app")
                default:
                    if case .index(let index) = try ManifestDocument(json: mutant, what: "app") {
                        _ = try index.manifest(for: .host, what: "app")
                    }
                }
            } catch {
                #expect(!"\(error)".contains("\n") && "\(error)".utf8.count < 1000, "\(what): \(error)")
            }
        }
    }

    @Test("archives", arguments: 0..<2 as Range<UInt64>)
    func archives(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let image = TestImage([Self.layer])
        let oci = tar { tar in for file in image.layout(name: "a:1") { tar.file(file.name, file.bytes) } }
        let docker = tar { tar in
            tar.file("l.tar", Self.layer)
            tar.file("c.json", image.config)
            tar.symbolicLink("m.tar", to: "l.tar")
            tar.file("manifest.json", #"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["m.tar"]}]"#)
        }
        let test = try TestStore()
        for round in 0..<60 {
            let mutant = Self.repaired(Self.mutate(round % 2 == 0 ? oci : docker, &random, block: 512))
            try test.write("archive", mutant)
            do {
                let loaded = try test.store.load(.archive(path: test.path("archive"), name: nil), maximumSize: 16 << 20)
                for image in loaded { try test.store.remove(image) }
                _ = try test.store.collectGarbage()
            } catch {
                #expect(!"\(error)".contains("\n"), "seed \(seed) round \(round): \(error)")
            }
            #expect(test.leftovers == [], "seed \(seed) round \(round)")
            #expect(test.blobs == [], "seed \(seed) round \(round)")
        }
    }
}
