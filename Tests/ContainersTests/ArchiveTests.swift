import AgentCore
@testable import Containers
import Glibc
import LinuxSystem
import ProcessSupport
import Synchronization
import Testing

@Suite("Archives on the host's side")
struct ArchiveTests {
    private let test: TestStore
    private var inside: String { test.path + "/inside" }
    private var outside: String { test.path + "/outside" }

    init() throws {
        test = try TestStore()
        try makeDirectory(inside, permissions: 0o755)
        try makeDirectory(outside, permissions: 0o755)
    }

    private func member(_ name: String, _ kind: TarEntry.Kind = .file, _ contents: String = "", mode: UInt32 = 0o644) -> [UInt8] {
        let bytes = Array(contents.utf8)
        return TarEntry(name: Array(name.utf8), kind: kind, mode: mode, size: UInt64(bytes.count), time: 1_000_000_000).header + bytes
            + [UInt8](repeating: 0, count: Tar.padding(UInt64(bytes.count)))
    }

    private func extract(_ archive: [UInt8], rename: String? = "x", chunk: Int = 700) throws(ContainerError) {
        let extractor = try ArchiveExtractor(into: inside, rename: rename, keepsOwners: false)
        var rest = archive[...]
        while !rest.isEmpty {
            try extractor.take(Array(rest.prefix(chunk)))
            rest = rest.dropFirst(chunk)
        }
        try extractor.finish()
    }

    private func text(_ path: String) -> String? { contents(ofSmallFile: path).map { String(decoding: $0, as: UTF8.self) } }

    @Test("members are made under the name that is wanted", arguments: [1, 511, 512, 10_000])
    func usual(chunk: Int) throws {
        let archive = member("top/", .directory, mode: 0o750) + member("top/a", .file, "hello", mode: 0o4755) + member("top/sub/b", .file, String(repeating: "z", count: 3000))
            + member("top/link", .symbolicLink(Array("a".utf8))) + member("top/hard", .hardLink(Array("top/a".utf8))) + member("top/pipe", .fifo) + Tar.end
        try extract(archive, rename: "x", chunk: chunk)
        #expect(text(inside + "/x/a") == "hello")
        #expect(text(inside + "/x/sub/b")?.count == 3000)
        #expect(text(inside + "/x/link") == "hello")
        #expect(try fileStatus(at: inside + "/x/hard").identity == fileStatus(at: inside + "/x/a").identity)
        #expect(try fileAttributes(at: inside + "/x/a").mode & 0o7777 == 0o755, "set-user-ID is dropped")
        #expect(try fileAttributes(at: inside + "/x").mode & 0o7777 == 0o750)
        #expect(try fileAttributes(at: inside + "/x/a").modified.seconds == 1_000_000_000)
        #expect(try fileStatus(at: inside + "/x/pipe").kind == .fifo)
    }

    @Test("contents alone lose their first component")
    func contents_() throws {
        try extract(member("top/", .directory) + member("top/a", .file, "1") + member("top/d/e", .file, "2"), rename: nil)
        #expect(text(inside + "/a") == "1")
        #expect(text(inside + "/d/e") == "2")
    }

    @Test("nothing leads out of the directory: neither names, nor links that the archive brings, nor links that are there")
    func hostile() throws {
        let out = outside
        _ = try FileDescriptor.open(out + "/victim", [.writeOnly, .create])
        symlink(out, inside + "/there")
        let archives: [[UInt8]] = [
            member("top/../../outside/new", .file, "bad"), member("top/..", .file, "bad"),
            member("top/l", .symbolicLink(Array(out.utf8))) + member("top/l/new", .file, "bad"),
            member("top", .symbolicLink(Array(out.utf8))) + member("top/new", .file, "bad"),
            member("top/h", .hardLink(Array("top/../../outside/victim".utf8))),
            member("top/l2", .symbolicLink(Array(out.utf8))) + member("top/h2", .hardLink(Array("top/l2/victim".utf8))),
        ]
        for archive in archives { #expect(throws: ContainerError.self) { try extract(archive) } }
        #expect(throws: ContainerError.self) { try extract(member("t/new", .file, "bad"), rename: "there") }
        #expect(throws: ContainerError.self) { try extract(member("t/there/new", .file, "bad"), rename: nil) }
        #expect(try names(inDirectory: out) == ["victim"])
        #expect(text(out + "/victim") == "")
        // A link that is named by a file of the archive is replaced, not followed.
        symlink(out + "/victim", inside + "/file")
        try extract(member("t/file", .file, "mine"), rename: nil)
        #expect(text(out + "/victim") == "")
        #expect(text(inside + "/file") == "mine")
    }

    @Test("an archive that is cut or is none is an error")
    func broken() throws {
        let archive = member("top/a", .file, String(repeating: "q", count: 2000)) + Tar.end
        for size in [10, 600, 1500, 2400] {
            #expect(throws: ContainerError.self, "\(size)") {
                try extract(Array(archive.prefix(size)))
                if size < 512 { throw ContainerError(.failed, "nothing begun") }
            }
        }
        #expect(throws: ContainerError.self) { try extract([UInt8](repeating: 65, count: 1024)) }
    }

    @Test("tar(1) reads what is written, and what tar writes is read")
    func peers() throws {
        let tree = test.path + "/tree"
        try makeDirectories(tree + "/sub/deeper", permissions: 0o755)
        let long = String(repeating: "n", count: 150)
        for (name, text) in [("plain", "1"), ("sub/\(long)", "2"), ("sub/deeper/empty", ""), ("big", String(repeating: "b", count: 200_000))] {
            let file = try FileDescriptor.open(tree + "/" + name, [.writeOnly, .create], permissions: 0o640)
            try Array(text.utf8).withUnsafeBytes { bytes in try file.writeAll(bytes) }
        }
        symlink("plain", tree + "/link")
        let collected = Mutex<[UInt8]>([])
        let writer = ArchiveWriter(keepsOwners: false) { bytes throws(ContainerError) in collected.withLock { $0 += bytes } }
        try writer.write(tree, as: "tree", followsLink: false)
        let archive = collected.withLock { $0 }
        let path = test.path + "/a.tar"
        let file = try FileDescriptor.open(path, [.writeOnly, .create])
        try archive.withUnsafeBytes { bytes in try file.writeAll(bytes) }
        #expect(try ChildProcess(["tar", "-xf", path, "-C", outside]).waitForEnd() == .exited(0))
        #expect(try ChildProcess(["diff", "-r", "--no-dereference", tree, outside + "/tree"]).waitForEnd() == .exited(0))
        try extract(archive, rename: "tree")
        #expect(try ChildProcess(["diff", "-r", "--no-dereference", tree, inside + "/tree"]).waitForEnd() == .exited(0))
        for format in ["gnu", "pax", "ustar"] {
            let other = test.path + "/\(format).tar"
            // ustar has no room for the long name.
            let excluded = format == "ustar" ? ["--exclude=nnn*"] : []
            #expect(try ChildProcess(["tar", "--format=\(format)", "-cf", other, "-C", test.path] + excluded + ["tree"]).waitForEnd() == .exited(0))
            try extract(try #require(contents(ofSmallFile: other, limit: 1 << 22)), rename: format)
            #expect(try ChildProcess(["diff", "-r", "--no-dereference"] + excluded + [tree, inside + "/" + format]).waitForEnd() == .exited(0))
        }
    }

    @Test("copies go where podman's do", arguments: [
        ("/c/file", false, "/h", .directory, "/h", "file", nil), ("/c/file", false, "/h/new", .missing, "/h", "new", nil),
        ("/c/file", false, "/h/old", .other, "/h", "old", nil), ("/c/file", false, "new", .missing, ".", "new", nil),
        ("/c/dir", true, "/h", .directory, "/h", "dir", nil), ("/c/dir/", true, "/h", .directory, "/h", "dir", nil),
        ("/c/dir/.", true, "/h", .directory, "/h", nil, nil), ("/c/dir", true, "/h/new", .missing, "/h/new", nil, "/h/new"),
        ("/c/dir/.", true, "/h/new/", .missing, "/h/new/", nil, "/h/new"), ("/", true, "/h", .directory, "/h", nil, nil),
    ] as [(String, Bool, String, CopyPlace.Kind, String, String?, String?)])
    func plan(source: String, isDirectory: Bool, path: String, kind: CopyPlace.Kind, directory: String, name: String?, made: String?) throws {
        let plan = try CopyPlan(source: source, isDirectory: isDirectory, destination: CopyPlace(path: path, kind: kind))
        #expect((plan.directory, plan.name, plan.newDirectory) == (directory, name, made))
    }

    @Test("copies that make no sense are refused")
    func badPlans() {
        #expect(throws: ContainerError.self) { try CopyPlan(source: "/d", isDirectory: true, destination: CopyPlace(path: "/f", kind: .other)) }
        #expect(throws: ContainerError.self) { try CopyPlan(source: "/f", isDirectory: false, destination: CopyPlace(path: "/d/", kind: .missing)) }
    }
}

@Suite("Keys that leave a container")
struct DetachKeyTests {
    @Test("keys are named", arguments: [
        ("ctrl-p,ctrl-q", [16, 17]), ("", []), ("a", [97]), ("ctrl-@,ctrl-[,x", [0, 27, 120]), ("ctrl-_", [31]),
    ] as [(String, [UInt8])])
    func names(text: String, keys: [UInt8]) {
        #expect(DetachKeys.parse(text) == keys)
    }

    @Test("what is no key is none", arguments: ["ctrl-", "ctrl-pp", "ab", ",", "ctrl-1", "é"])
    func noNames(text: String) {
        #expect(DetachKeys.parse(text) == nil)
    }

    @Test("the sequence is found wherever it lies, and what only begins it is passed on")
    func sequences() {
        var keys = DetachKeys([16, 17])
        #expect(keys.filter([1, 16, 2][...]) == ([1, 16, 2], false))
        #expect(keys.filter([16][...]) == ([], false))
        #expect(keys.filter([16, 17, 5][...]) == ([16], true))
        var none = DetachKeys([])
        #expect(none.filter([16, 17][...]) == ([16, 17], false))
        var same = DetachKeys([1, 1, 2])
        #expect(same.filter([1, 1, 1, 2][...]) == ([1], true))
    }
}

private func == (left: (passed: [UInt8], isDetached: Bool), right: ([UInt8], Bool)) -> Bool {
    left.passed == right.0 && left.isDetached == right.1
}
