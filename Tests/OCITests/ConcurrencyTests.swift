import Glibc
import LinuxSystem
import OCI
import ProcessSupport
import TestSupport
import Testing

@Suite("Several at once")
struct ConcurrencyTests {
    private static let image = TestImage((0..<3).map { number in
        tar { tar in for index in 0..<30 { tar.file("d\(number)/f\(index)", noise(30_000 + index)) } }
    })

    @Test("processes that load the same image all succeed, and it is there once")
    func loads() throws {
        let test = try TestStore()
        try test.write("archive", tar { tar in for file in Self.image.layout(name: "a:1") { tar.file(file.name, file.bytes) } })
        let workers = try (0..<6).map { _ in try Worker.start([test.store.root, "load", test.path("archive")]) }
        for worker in workers { #expect(try worker.waitForEnd() == .exited(0), "\(worker.errors.text)") }
        #expect(try test.store.list().map { $0.names.map(\.familiar) } == [["a:1"]])
        #expect(Set(test.blobs) == Set(Self.image.blobs.keys.map(\.hex)))
        #expect(test.leftovers == [])
    }

    @Test("processes and threads that unpack the same image wait for one of them")
    func unpacks() async throws {
        let test = try TestStore()
        let image = try test.add(Self.image, as: "a:1")
        let workers = try (0..<4).map { _ in try Worker.start([test.store.root, "unpack", "a:1"]) }
        let inode = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<3 { group.addTask { try test.store.rootImage(for: image).path } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(inode.count == 1)
        // Progress is told by the process that does the work; the others wait, unless they came before or after it.
        for worker in workers { #expect(try worker.waitForEnd() == .exited(0), "\(worker.errors.text)") }
        #expect(try workers.filter { try $0.output.wholeText().contains(" of ") }.count <= 1)
        #expect(directoryEntries(test.store.roots).count == 1)
    }

    @Test("names change while garbage is collected and images come and go")
    func names() throws {
        let test = try TestStore()
        try test.write("archive", tar { tar in for file in Self.image.layout(name: "a:1") { tar.file(file.name, file.bytes) } })
        try test.add(TestImage([tar { $0.file("kept", "k") }]), as: "kept:1")
        var workers: [ChildProcess] = []
        for round in 0..<4 {
            workers.append(try Worker.start([test.store.root, "collect"]))
            workers.append(try Worker.start([test.store.root, "load", test.path("archive")]))
            workers.append(try Worker.start([test.store.root, "tag", "kept:1", "kept:\(round)-2"]))
            workers.append(try Worker.start([test.store.root, "collect"]))
        }
        for worker in workers { #expect(try worker.waitForEnd() == .exited(0), "\(worker.errors.text)") }
        let images = try test.store.list { Issue.record("\($0)") }
        #expect(images.map { $0.names.map(\.familiar) } == [["a:1"], ["kept:0-2", "kept:1", "kept:1-2", "kept:2-2", "kept:3-2"]])
        for image in images { _ = try test.store.rootImage(for: image) }
        #expect(test.leftovers == [])
    }

    @Test("transfers that want the same blobs in another order do not wait for each other")
    func transfers() async throws {
        let test = try TestStore()
        let blobs = (0..<20).map { noise(10_000 + $0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<6 {
                group.addTask {
                    let transfer = test.store.beginTransfer()
                    for bytes in task % 2 == 0 ? blobs : blobs.reversed() {
                        let descriptor = Descriptor(mediaType: "x", of: bytes)
                        guard let writer = try transfer.writer(for: descriptor) else { continue }
                        let rest = Array(bytes[Int(writer.offset)...])
                        try rest.withUnsafeBytes { try writer.append($0) }
                        try writer.finish()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(test.blobs.count == blobs.count)
        #expect(test.leftovers == [])
    }
}
