import LinuxSystem
import OCI
import ProcessSupport
import TestSupport
import Testing

@Suite("What an image is saved to")
struct SaveTargetTests {
    private static let image = TestImage([tar { $0.file("a", "a") }])

    private func folder(_ test: TestStore) throws -> FileDescriptor {
        try FileDescriptor.open(test.directory, [.readOnly, .directory])
    }

    private func link(_ test: TestStore, _ name: String, to target: String) throws {
        try folder(test).makeSymbolicLink(FileName(name.utf8), to: LinkTarget(target.utf8))
    }

    private func expectImage(_ bytes: [UInt8]?, _ what: String) throws {
        let other = try TestStore()
        try other.write("archive", try #require(bytes, "\(what)"))
        let loaded = try other.store.load(.archive(path: other.path("archive"), name: nil))
        #expect(loaded.map(\.manifest.digest) == [Self.image.descriptor.digest], "\(what)")
    }

    @Test("a FIFO is written to, and stays one")
    func fifo() throws {
        let test = try TestStore()
        let image = try test.add(Self.image)
        try folder(test).makeNode(FileName("fifo".utf8), .fifo, permissions: 0o600)
        try link(test, "link", to: "fifo")
        for name in ["fifo", "link"] {
            // A reader is there before the writer comes, and the archive is smaller than what a pipe holds.
            let reader = try FileDescriptor.open(test.path("fifo"), [.readOnly, .nonBlocking])
            try test.store.save([image], as: .ociArchive, to: test.path(name))
            var bytes: [UInt8] = []
            try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
                while case let count = try reader.read(into: buffer), count > 0 {
                    bytes += UnsafeRawBufferPointer(rebasing: buffer[..<count])
                }
            }
            try expectImage(bytes, name)
        }
        #expect(try fileStatus(at: test.path("fifo"), followingLinks: false).kind == .fifo)
        #expect(try fileAttributes(at: test.path("link")).mode & FileType.mask == FileType.symbolicLink.rawValue)
        #expect(directoryEntries(test.directory).sorted() == ["fifo", "link", "root"])
    }

    @Test("of a link the file is replaced that it leads to, or made")
    func links() throws {
        let test = try TestStore()
        let image = try test.add(Self.image)
        try test.write("folder/there", [1])
        try link(test, "first", to: "folder/there")
        try link(test, "second", to: "first")
        try link(test, "dangling", to: "folder/new")
        try link(test, "absolute", to: test.path("folder/whole"))
        for (name, target) in [("second", "there"), ("dangling", "new"), ("absolute", "whole")] {
            try test.store.save([image], as: .ociArchive, to: test.path(name))
            #expect(try fileAttributes(at: test.path(name)).mode & FileType.mask == FileType.symbolicLink.rawValue, "\(name)")
            try expectImage(test.read("folder/\(target)"), name)
        }
        #expect(directoryEntries(test.path("folder")).sorted() == ["new", "there", "whole"])
    }

    @Test("an error names the path that was given")
    func errors() throws {
        let test = try TestStore()
        let image = try test.add(Self.image)
        try test.write("folder/there", [1])
        try link(test, "loop", to: "loop")
        for (name, reason) in [("none/x", "No such file"), ("folder", "Is a directory"), ("loop", "Too many levels")] {
            let path = test.path(name)
            let error = try #require(throws: ImageError.self, "\(name)") { try test.store.save([image], as: .ociArchive, to: path) }
            #expect(error.description.hasPrefix("\(path): \(reason)"), "\(error)")
            #expect(!error.description.contains(".svmm-"), "\(error)")
        }
        #expect(test.read("folder/there") == [1])
    }
}
