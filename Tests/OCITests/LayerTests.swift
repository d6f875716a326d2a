import LinuxSystem
import OCI
import Testing

/// Layers, and what they make. Each case is one image.
struct LayerCase: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let layers: [[UInt8]]
    /// All paths; directories end with `/`.
    let paths: [String]
    /// What files hold, or links say.
    var texts: [String: String] = [:]

    init(_ name: String, _ layers: [@Sendable (inout TarBuilder) -> Void], _ paths: [String], _ texts: [String: String] = [:]) {
        testDescription = name
        self.layers = layers.map { tar($0) }
        self.paths = paths
        self.texts = texts
    }
}

@Suite("Layers")
struct LayerTests {
    @Test("are applied as the image specification says", arguments: cases)
    func applied(_ layers: LayerCase) throws {
        let test = try TestStore()
        let root = try test.unpack(layers.layers)
        let listing = try Ext4Listing(root.path)
        #expect(listing.paths == layers.paths)
        for (path, text) in layers.texts { #expect(listing.text(path) == text, "\(path)") }
        #expect(try complaints(about: root.path) == "")
        #expect(test.leftovers == [])
    }

    private static let lower: @Sendable (inout TarBuilder) -> Void = { tar in
        tar.directory("d")
        tar.file("d/a", "a")
        tar.file("d/b", "b")
        tar.directory("d/e")
        tar.file("d/e/f", "f")
        tar.file("x", "x")
    }

    static let cases: [LayerCase] = [
        LayerCase("no layers at all", [], []),
        LayerCase("an empty layer", [{ _ in }], []),
        LayerCase("a file of a higher layer replaces one", [lower, { $0.file("d/a", "new") }],
                  ["/d/", "/d/a", "/d/b", "/d/e/", "/d/e/f", "/x"], ["/d/a": "new", "/d/b": "b"]),
        LayerCase("a whiteout hides a file", [lower, { $0.whiteout("a", in: "d") }], ["/d/", "/d/b", "/d/e/", "/d/e/f", "/x"]),
        LayerCase("a whiteout hides a directory with all in it", [lower, { $0.whiteout("d") }], ["/x"]),
        LayerCase("a whiteout of what is not there", [lower, { $0.whiteout("nothing") }],
                  ["/d/", "/d/a", "/d/b", "/d/e/", "/d/e/f", "/x"]),
        LayerCase("a whiteout before what the same layer puts there", [lower, {
            $0.whiteout("d")
            $0.directory("d")
            $0.file("d/new", "n")
        }], ["/d/", "/d/new", "/x"]),
        LayerCase("a whiteout behind what the same layer puts there", [lower, {
            $0.directory("d")
            $0.file("d/new", "n")
            $0.whiteout("d")
        }], ["/d/", "/d/new", "/x"]),
        LayerCase("a whiteout does not hide a file of its own layer", [lower, {
            $0.file("d/a", "new")
            $0.whiteout("a", in: "d")
        }], ["/d/", "/d/a", "/d/b", "/d/e/", "/d/e/f", "/x"], ["/d/a": "new"]),
        LayerCase("an opaque directory hides what is below", [lower, { $0.opaque("d") }], ["/d/", "/x"]),
        LayerCase("an opaque directory keeps what its layer has, marked first", [lower, {
            $0.opaque("d")
            $0.file("d/new", "n")
            $0.directory("d/e")
            $0.file("d/e/g", "g")
        }], ["/d/", "/d/e/", "/d/e/g", "/d/new", "/x"]),
        LayerCase("an opaque directory keeps what its layer has, marked last", [lower, {
            $0.file("d/new", "n")
            $0.directory("d/e")
            $0.file("d/e/g", "g")
            $0.opaque("d")
        }], ["/d/", "/d/e/", "/d/e/g", "/d/new", "/x"]),
        LayerCase("an opaque root", [lower, {
            $0.file("./.wh..wh..opq")
            $0.file("y", "y")
        }], ["/y"]),
        LayerCase("whiteouts below what is a file now", [lower, {
            $0.file("d", "file")
            $0.whiteout("a", in: "d")
            $0.opaque("d/e")
        }], ["/d", "/x"]),
        LayerCase("whiteouts before the file that takes the directory's place", [lower, {
            $0.whiteout("a", in: "d")
            $0.file("d", "file")
        }], ["/d", "/x"]),
        LayerCase("notes of aufs", [lower, {
            $0.file(".wh..wh.aufs")
            $0.directory(".wh..wh.plnk")
            $0.file(".wh..wh.plnk/1.2", "n")
        }], ["/d/", "/d/a", "/d/b", "/d/e/", "/d/e/f", "/x"]),
        LayerCase("a file replaced by a directory", [lower, {
            $0.directory("x")
            $0.file("x/y", "y")
        }], ["/d/", "/d/a", "/d/b", "/d/e/", "/d/e/f", "/x/", "/x/y"]),
        LayerCase("a file replaced by a directory that no entry names", [lower, { $0.file("x/y", "y") }],
                  ["/d/", "/d/a", "/d/b", "/d/e/", "/d/e/f", "/x/", "/x/y"]),
        LayerCase("a directory replaced by a file", [lower, { $0.file("d", "file") }], ["/d", "/x"], ["/d": "file"]),
        LayerCase("a directory replaced by a link", [lower, { $0.symbolicLink("d", to: "x") }], ["/d", "/x"], ["/d": "x"]),
        LayerCase("a link replaced by a directory", [{ $0.symbolicLink("l", to: "x") }, { $0.directory("l") }], ["/l/"]),
        LayerCase("a directory named again keeps what is in it", [lower, { $0.directory("d/") }],
                  ["/d/", "/d/a", "/d/b", "/d/e/", "/d/e/f", "/x"]),
        LayerCase("a later entry of a layer replaces an earlier one", [{
            $0.file("a", "1")
            $0.file("a", "2")
            $0.directory("b")
            $0.file("b/c", "c")
            $0.file("b", "file")
        }], ["/a", "/b"], ["/a": "2", "/b": "file"]),
        LayerCase("directories that no entry names", [{ $0.file("a/b/c/d", "d") }], ["/a/", "/a/b/", "/a/b/c/", "/a/b/c/d"]),
        LayerCase("names that begin with ./ and /", [{
            $0.directory("./")
            $0.file("./a", "a")
            $0.file("/b", "b")
            $0.file("//c//./d", "d")
        }], ["/a", "/b", "/c/", "/c/d"]),
        LayerCase("a hard link", [{
            $0.file("a", "a")
            $0.hardLink("b", to: "a")
            $0.hardLink("c/d", to: "./a")
        }], ["/a", "/b", "/c/", "/c/d"], ["/b": "a", "/c/d": "a"]),
        LayerCase("a hard link to a file of a lower layer", [lower, { $0.hardLink("y", to: "d/a") }],
                  ["/d/", "/d/a", "/d/b", "/d/e/", "/d/e/f", "/x", "/y"], ["/y": "a"]),
        LayerCase("a hard link that takes the place of what a whiteout hides", [lower, {
            $0.whiteout("a", in: "d")
            $0.hardLink("y", to: "d/a")
        }], ["/d/", "/d/b", "/d/e/", "/d/e/f", "/x", "/y"], ["/y": "a"]),
        LayerCase("a hard link before its target", [{
            $0.hardLink("b", to: "a")
            $0.file("a", "a")
        }], ["/a", "/b"], ["/b": "a"]),
        LayerCase("a hard link in place of the directory that its target is in", [lower, { $0.hardLink("d", to: "d/e/f") }],
                  ["/d", "/x"], ["/d": "f"]),
        LayerCase("a hard link to itself", [{
            $0.file("a", "a")
            $0.hardLink("a", to: "a")
        }], ["/a"], ["/a": "a"]),
        LayerCase("a hard link to a symbolic link", [{
            $0.symbolicLink("a", to: "nowhere")
            $0.hardLink("b", to: "a")
        }], ["/a", "/b"], ["/b": "nowhere"]),
        LayerCase("a file below a symbolic link of a lower layer", [{
            $0.directory("usr/lib")
            $0.symbolicLink("lib", to: "usr/lib")
        }, { $0.file("lib/x", "x") }], ["/lib", "/usr/", "/usr/lib/", "/usr/lib/x"], ["/usr/lib/x": "x"]),
        LayerCase("links on the way that lead out stay inside", [{
            $0.symbolicLink("a", to: "../../../../b")
            $0.symbolicLink("c", to: "/a/../d")
            $0.file("a/x", "x")
            $0.file("c/y", "y")
        }], ["/a", "/b/", "/b/x", "/c", "/d/", "/d/y"], ["/b/x": "x", "/d/y": "y"]),
        LayerCase("a symbolic link that points out is kept as it is", [{ $0.symbolicLink("l", to: "/../../etc/passwd") }], ["/l"],
                  ["/l": "/../../etc/passwd"]),
        LayerCase("names that are not ASCII", [{
            $0.file("Főtanúsítvány", "1")
            $0.entry("x", type: "0", mode: 0o644, .init(records: [("path", Array("日本語/ß".utf8))]), Array("2".utf8))
        }], ["/Főtanúsítvány", "/日本語/", "/日本語/ß"], ["/日本語/ß": "2"]),
        LayerCase("a name that is not UTF-8", [{ $0.file("x", "x", .init(records: [("path", [0x61, 0xFF, 0x62])])) }], ["/a\u{FFFD}b"]),
        LayerCase("three layers that take turns", [lower, {
            $0.whiteout("a", in: "d")
            $0.whiteout("x")
        }, {
            $0.file("d/a", "third")
            $0.directory("x")
        }], ["/d/", "/d/a", "/d/b", "/d/e/", "/d/e/f", "/x/"], ["/d/a": "third"]),
    ]
}
