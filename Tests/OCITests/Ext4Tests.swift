import LinuxSystem
import OCI
import ProcessSupport
import TestSupport
import Testing

@Suite("Root images")
struct Ext4Tests {
    /// Unpacks one layer, checks the file system, and lists it.
    private func unpack(_ build: (inout TarBuilder) -> Void) throws -> Ext4Listing {
        let test = try TestStore()
        let root = try test.unpack([tar(build)])
        #expect(try complaints(about: root.path) == "")
        return try Ext4Listing(root.path)
    }

    @Test("keep owners, also large ones, modes with set-id bits, and times")
    func attributes() throws {
        let listing = try unpack { tar in
            tar.file("set", "x", .init(mode: 0o6755, user: 100_000, group: 4_000_000_000))
            tar.directory("tmp", .init(mode: 0o1777, time: 0))
            tar.file("early", "", .init(records: [("mtime", Array("-2147483648.5".utf8))]))
            tar.file("late", "", .init(records: [("mtime", Array("15032385535.123456789".utf8))]))
            tar.file("too-late", "", .init(records: [("mtime", Array("99999999999".utf8))]))
            tar.directory("./", .init(mode: 0o700, user: 5, group: 6))
        }
        #expect(listing["/set"]?.mode == "106755")
        #expect(listing["/set"]?.owner == "100000:4000000000")
        #expect(listing["/tmp"]?.mode == "41777")
        #expect(listing["/tmp"]?.modified == 0)
        #expect(listing["/early"]?.modified == -2_147_483_648)
        #expect(listing["/late"]?.modified == 15_032_385_535)
        #expect(listing["/late"]?.modifiedNanoseconds == 123_456_789)
        #expect(listing["/too-late"]?.modified == 15_032_385_535)
        #expect(listing["/"]?.mode == "40700")
        #expect(listing["/"]?.owner == "5:6")
    }

    @Test("keep devices, fifos, and links short and long")
    func specialFiles() throws {
        let long = String(repeating: "x", count: 59), longer = long + "y"
        let longest = String(repeating: "0123456789abcde/", count: 255) + "0123456789abcde"
        let listing = try unpack { tar in
            tar.device("null", type: "3", 1, 3, .init(mode: 0o666))
            tar.device("disk", type: "4", 259, 70_000)
            tar.device("most", type: "3", 4095, 0o3777777)
            tar.fifo("fifo")
            tar.symbolicLink("59", to: long)
            tar.symbolicLink("60", to: longer)
            tar.symbolicLink("4095", to: longest)
        }
        #expect(listing["/null"]?.mode == "20666")
        #expect(listing["/null"]?.device == "1:3")
        #expect(listing["/disk"]?.mode == "60600")
        #expect(listing["/disk"]?.device == "259:70000")
        #expect(listing["/most"]?.device == "4095:1048575")
        #expect(listing["/fifo"]?.mode == "10600")
        #expect(listing["/59"]?.blocks == 0)
        #expect(listing["/60"]?.blocks == 8)
        for target in [long, longer, longest] { #expect(listing.text("/\(target.utf8.count)") == target) }
    }

    @Test("keep extended attributes of the namespaces that mean something, in the inode and in a block")
    func extendedAttributes() throws {
        let capability: [UInt8] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0]
        let large = [UInt8](repeating: 7, count: 3000)
        // Version 2 of the form that system calls have: the owner, the group and others.
        let nobody: [UInt8] = [255, 255, 255, 255]
        let access: [UInt8] = [2, 0, 0, 0, 1, 0, 6, 0] + nobody + [4, 0, 4, 0] + nobody + [32, 0, 4, 0] + nobody
        let listing = try unpack { tar in
            tar.file("ping", "x", .init(records: [("SCHILY.xattr.security.capability", capability)]))
            tar.file("many", "x", .init(records: [
                ("SCHILY.xattr.user.a", Array("1".utf8)), ("SCHILY.xattr.user.large", large), ("SCHILY.xattr.trusted.b", []),
                ("SCHILY.xattr.com.apple.quarantine", [1]), ("SCHILY.xattr.trusted.overlay.opaque", Array("y".utf8)),
                ("SCHILY.xattr.user.overlay.whiteout", Array("y".utf8)),
            ]))
            tar.directory("d", .init(records: [("SCHILY.xattr.user.a", Array("dir".utf8))]))
            tar.file("acl", "x", .init(records: [("SCHILY.xattr.system.posix_acl_access", access)]))
            tar.hardLink("link", to: "ping")
        }
        #expect(listing["/ping"]?.attributes == ["security.capability": capability])
        #expect(listing["/ping"]?.blocks == 8)
        #expect(listing["/link"]?.attributes == ["security.capability": capability])
        #expect(listing["/many"]?.attributes == ["user.a": Array("1".utf8), "user.large": large, "trusted.b": []])
        #expect(listing["/d"]?.attributes == ["user.a": Array("dir".utf8)])
        // On the disk it has version 1, and no number where the kind of entry has none.
        #expect(listing["/acl"]?.attributes == ["system.posix_acl_access": [1, 0, 0, 0, 1, 0, 6, 0, 4, 0, 4, 0, 32, 0, 4, 0]])
    }

    @Test("a directory's attributes are those of the highest layer that has it")
    func mergedAttributes() throws {
        let test = try TestStore()
        let root = try test.unpack([
            tar { $0.directory("d", .init(mode: 0o700, records: [("SCHILY.xattr.user.a", [1])])); $0.file("d/x", "x") },
            tar { $0.directory("d", .init(mode: 0o755, user: 3)) },
        ])
        let listing = try Ext4Listing(root.path)
        #expect(listing["/d"]?.mode == "40755")
        #expect(listing["/d"]?.owner == "3:0")
        #expect(listing["/d"]?.attributes == [:])
        #expect(listing.text("/d/x") == "x")
    }

    @Test("hard links are one file")
    func hardLinks() throws {
        let listing = try unpack { tar in
            tar.file("a", "a")
            for index in 0..<300 { tar.hardLink("links/\(index)", to: "a") }
        }
        #expect(listing["/a"]?.links == 301)
        #expect(Set(listing.paths.filter { $0 != "/links/" }.compactMap { listing[$0]?.inode }).count == 1)
    }

    @Test("a directory of many names has a hash tree, and directories may lie in directories by the thousands")
    func largeDirectories() throws {
        let names = (0..<40_000).map { "name-\($0)-\(String(repeating: "x", count: $0 % 60))" }
        let listing = try unpack { tar in
            for name in names { tar.file("many/\(name)") }
            for index in 0..<3000 { tar.directory("dirs/\(index)") }
            for index in 0..<70 { tar.file("some/\(index)-" + String(repeating: "y", count: 50)) }
            tar.file((0..<1000).map { _ in "d/" }.joined() + "leaf", "deep")
        }
        #expect(listing["/many"]?.isIndexed == true)
        #expect(listing["/dirs"]?.links == 3002)
        #expect(listing["/some"]?.size == 12288)
        #expect(names.allSatisfy { listing["/many/\($0)"] != nil })
        #expect(listing.text("/" + (0..<1000).map { _ in "d/" }.joined() + "leaf") == "deep")
    }

    @Test("a hash tree has two levels where one has no room for all blocks")
    func deepHashTree() throws {
        // 15 names of 255 bytes fit a block, 508 blocks the root of a tree.
        let tail = String(repeating: "z", count: 248)
        let listing = try unpack { tar in
            for index in 0..<8000 { tar.file("d/\(1_000_000 + index)\(tail)") }
        }
        #expect((listing["/d"]?.size ?? 0) > 509 * 4096)
        #expect(listing.paths.count == 8001)
    }

    @Test("holes stay holes, in files of many pieces too")
    func sparseFiles() throws {
        // A block of data, one without, 2000 times: the extents need a tree of blocks.
        let count = 2000
        var map = "\(count + 1)\n"
        var data: [UInt8] = []
        for index in 0..<count {
            map += "\(index * 8192)\n4096\n"
            data += [UInt8](repeating: UInt8(index % 255 + 1), count: 4096)
        }
        let size = count * 8192 + 12345
        map += "\(size)\n0\n"
        let head = Array(map.utf8) + [UInt8](repeating: 0, count: (512 - map.utf8.count % 512) % 512)
        let listing = try unpack { tar in
            tar.file("sparse", head + data, .init(records: [
                ("GNU.sparse.major", Array("1".utf8)), ("GNU.sparse.minor", Array("0".utf8)),
                ("GNU.sparse.name", Array("sparse".utf8)), ("GNU.sparse.realsize", Array("\(size)".utf8)),
            ]))
            tar.file("after", "after")
        }
        let file = try #require(listing["/sparse"])
        #expect(file.size == UInt64(size))
        // The data's blocks, six of extents and one above them, in units of 512 bytes.
        #expect(file.blocks == UInt64(8 * (count + 7)))
        let contents = file.contents
        for index in 0..<count {
            let (data, hole) = (contents[index * 8192], contents[index * 8192 + 4096])
            guard data == UInt8(index % 255 + 1), hole == 0 else {
                Issue.record("piece \(index): \(data), \(hole)")
                break
            }
        }
        #expect(listing.text("/after") == "after")
    }

    @Test("files of every length come out as they went in", arguments: LayerCompression.allCases)
    func contents(compression: LayerCompression) throws {
        let lengths = [0, 1, 511, 512, 513, 4095, 4096, 4097, 8192, 100_000, 1 << 20, (1 << 20) + 1, 3_000_001]
        let files = lengths.map { ("f\($0)", noise($0)) }
        let test = try TestStore()
        let root = try test.unpack([tar { tar in for (name, bytes) in files { tar.file(name, bytes) } }], compression: compression)
        let listing = try Ext4Listing(root.path)
        for (name, bytes) in files { #expect(listing["/\(name)"]?.contents == bytes, "\(name)") }
        #expect(try complaints(about: root.path) == "")
    }

    @Test("what higher layers replace takes no room on the disk")
    func replaced() throws {
        let (large, small) = (noise(8 << 20), noise(1 << 20))
        let test = try TestStore()
        let root = try test.unpack([
            tar { $0.file("a", large); $0.file("b", small) }, tar { $0.whiteout("a") }, tar { $0.file("c", small) },
        ])
        #expect(try complaints(about: root.path) == "")
        let blocks = try fileAttributes(at: root.path).blocks
        #expect(blocks * 512 < 3 << 20)
        let listing = try Ext4Listing(root.path)
        #expect(listing["/b"]?.contents == small)
        #expect(listing["/c"]?.contents == small)
    }

    @Test("the same layers make the same bytes, and images that share them one file")
    func reproducible() throws {
        let layers = [
            tar { $0.directory("d"); $0.file("d/x", "x", .init(records: [("SCHILY.xattr.user.a", [1])])) }, tar { $0.file("y") },
        ]
        let (first, second) = (try TestStore(), try TestStore())
        let roots = try [first, second].map { try $0.unpack(layers) }
        #expect(roots[0].identifier == roots[1].identifier)
        let bytes = roots.map { LinuxSystem.contents(ofSmallFile: $0.path, limit: 1 << 26) }
        #expect(bytes[0] != nil && bytes[0] == bytes[1])
        let other = try first.add(TestImage(layers, compression: .gzip, config: #"{"Cmd":["x"]}"#), as: "other:1")
        #expect(try first.store.rootImage(for: other).path == roots[0].path)
        #expect(roots[0].path.hasSuffix("/\(roots[0].identifier).ext4"))
        #expect(try fileAttributes(at: roots[0].path).mode == 0o100400)
    }

    @Test("what comes behind the tar counts for the digest, and several gzip members are one layer")
    func trailers() throws {
        let archive = tar { $0.file("a", "a") }
        let padded = archive + [UInt8](repeating: 0, count: 10240)
        let half = archive.count / 2
        for compression in [LayerCompression.gzip, .zstd] {
            let blob = compressed(Array(padded[..<half]), compression) + compressed(Array(padded[half...]), compression)
            let test = try TestStore()
            let layer = TestLayer(tar: padded, compression: compression, blob: blob)
            let root = try test.store.rootImage(for: try test.add(TestImage(layers: [layer])))
            #expect(try Ext4Listing(root.path).text("/a") == "a")
        }
    }

    @Test("progress reaches the size of the layers")
    func progress() throws {
        let test = try TestStore()
        let image = try test.add(TestImage([tar { $0.file("a", noise(5 << 20)) }, tar { $0.file("b", "b") }]))
        var seen: [UnpackProgress] = []
        _ = try test.store.rootImage(for: image) { seen.append($0) }
        #expect(seen.count >= 4)
        #expect(seen.last?.done == seen.last?.total)
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.done < $1.done })
    }
}

@Suite("Writable disks")
struct WritableLayerTests {
    @Test("are clean, empty, and mostly holes", arguments: [16 << 20, 64 << 20, 10 << 30, 100 << 30] as [UInt64])
    func made(size: UInt64) throws {
        let test = try TestStore()
        for name in ["one", "two"] {
            let path = test.path(name)
            try WritableLayer.make(at: path, size: size, store: test.store)
            let attributes = try fileAttributes(at: path)
            #expect(attributes.size == size)
            #expect(attributes.blocks * 512 < 2 << 20)
            #expect(attributes.mode == 0o100600)
            #expect(try complaints(about: path) == "")
            #expect(try Ext4Listing(path).paths == [])
        }
        #expect(test.leftovers == [])
    }

    @Test("have sizes that a file system can have, and names that nobody has")
    func refused() throws {
        let test = try TestStore()
        for size in [0, 4096, (16 << 20) - 4096, (16 << 20) + 1, 17 << 40] as [UInt64] {
            #expect(throws: ImageError.self) { try WritableLayer.make(at: test.path("x"), size: size, store: test.store) }
        }
        try test.write("there", [1])
        #expect(throws: ImageError.file(path: test.path("there"), .exists)) {
            try WritableLayer.make(at: test.path("there"), size: 16 << 20, store: test.store)
        }
        #expect(test.read("there") == [1])
    }
}
