import Glibc
import LinuxSystem
import OCI
import ProcessSupport
import TestSupport
import Testing

/// A process that works on a store is killed, and the next one finds the store as good as before.
@Suite("Killed processes")
struct CrashTests {
    private static let layers = (0..<3).map { number in
        tar { tar in
            for index in 0..<40 { tar.file("d\(number)/f\(index)", noise(50_000 + index)) }
        }
    }

    private static let image = TestImage(layers)

    private func archive() -> [UInt8] {
        tar { tar in for file in Self.image.layout(name: "a:1") { tar.file(file.name, file.bytes) } }
    }

    /// What must hold of a store after anything.
    private func check(_ test: TestStore, _ what: String) throws {
        // Who opens a store removes what is of no use to anybody.
        let store = try ImageStore(root: test.store.root)
        #expect(test.leftovers.filter { $0.hasPrefix("unnamed-") || $0.hasSuffix(".ext4.partial") } == [], "\(what)")
        for image in try store.list(onDamage: { Issue.record("\(what): \($0)") }) {
            for blob in image.content.blobs { #expect(store.contains(blob.digest), "\(what)") }
        }
        for name in test.blobs {
            let bytes = try #require(test.read("root/images/blobs/sha256/\(name)"))
            #expect(Digest(of: bytes).hex == name, "\(what): a blob that is not what its name says")
        }
        for name in directoryEntries(store.roots) {
            #expect(try complaints(about: "\(store.roots)/\(name)") == "", "\(what)")
        }
    }

    @Test("in the middle of an archive that they load", arguments: 0..<8)
    func load(step: Int) throws {
        let test = try TestStore()
        let bytes = archive()
        let worker = try Worker.start([test.store.root, "load", "-"], input: .pipe)
        // As far as the worker has taken them: a pipe holds at most 64 KiB, so that it has read what lies before that.
        try worker.send(Array(bytes[..<(bytes.count * (step + 1) / 9)]))
        worker.signal(SIGKILL)
        #expect(try worker.waitForEnd() == .killed(SIGKILL))
        try check(test, "load killed at step \(step)")
        #expect(try test.store.list().isEmpty)
        // The same once more works, and what was left goes.
        let again = try Worker.start([test.store.root, "load", "-"], input: .pipe)
        try again.send(bytes)
        again.closeInput()
        #expect(try again.waitForEnd() == .exited(0), "\(again.errors.text)")
        _ = try test.store.collectGarbage()
        #expect(Set(test.blobs) == Set(Self.image.blobs.keys.map(\.hex)))
        #expect(test.leftovers == [])
    }

    @Test("in the middle of unpacking", arguments: 1..<6)
    func unpack(mebibyte: Int) throws {
        let test = try TestStore()
        let image = try test.add(Self.image, as: "a:1")
        let worker = try Worker.start([test.store.root, "unpack", "a:1"])
        try worker.output.wait(for: "\n", times: mebibyte)
        worker.signal(SIGKILL)
        let end = try worker.waitForEnd()
        try check(test, "unpack killed at \(mebibyte): \(end)")
        let root = try test.store.rootImage(for: image)
        #expect(try complaints(about: root.path) == "")
        #expect(try Ext4Listing(root.path).paths.count == 123)
    }

    /// The calls after which the store has changed for others to see.
    private static let calls = ["rename", "fdatasync", "fsync", "ftruncate", "unlink", "flock", "pwrite64"]

    @Test("at each of the system calls that matter", .enabled(if: findProgram("strace") != nil, "needs strace"), arguments: calls)
    func systemCalls(call: String) throws {
        let strace = try #require(findProgram("strace"))
        let bytes = archive()
        for step in 1...100 {
            let test = try TestStore()
            try test.write("archive", bytes)
            try test.add(TestImage([tar { $0.file("other") }]), as: "other:1")
            func run(_ command: [String]) throws -> ProcessEnd {
                let worker = try ChildProcess(
                    [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)",
                     "-e", "inject=\(call):signal=KILL:when=\(step)", Worker.path, test.store.root] + command)
                return try worker.waitForEnd()
            }
            let loaded = try run(["load", test.path("archive")])
            try check(test, "load killed at \(call) \(step)")
            #expect(try test.store.resolve("other:1") != nil)
            // Where loading had fewer calls than that, the next part has its turn.
            if loaded != .exited(0) { _ = try test.store.load(.archive(path: test.path("archive"), name: nil)) }
            let unpacked = try run(["unpack", "a:1"])
            try check(test, "unpack killed at \(call) \(step)")
            let image = try #require(try test.store.resolve("a:1"))
            #expect(try Ext4Listing(try test.store.rootImage(for: image).path).paths.count == 123)
            if loaded == .exited(0), unpacked == .exited(0) { return }
        }
        Issue.record("a hundred calls of \(call) were not all")
    }
}
