import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("use disks")
    struct DiskTests {
        /// A kernel and whether the guest's page cache is between its writes and the device.
        struct Case: CustomTestStringConvertible {
            let kernel: Kernel
            let mode: String

            var testDescription: String { "\(kernel.testDescription), \(mode)" }

            static let all = [Case(kernel: .vmlinux, mode: "direct"), Case(kernel: .debian, mode: "buffered")]
        }

        @Test("200 MB of random writes are all there after a new start", arguments: Case.all)
        func randomWrites(test: Case) throws {
            let directory = TemporaryDirectory()
            let disk = ["--disk", try directory.sparseFile("disk", size: 256 << 20)]
            let words = "test.bytes=200000000 test.seed=7 test.mode=\(test.mode)"
            try Guest("write", kernel: test.kernel, words: words, disk).finish().expect(ok: ["write"])
            let finished = try Guest("verify", kernel: test.kernel, words: words, disk).finish()
            finished.expect(ok: ["verify"])
            // Told apart from a disk on which nothing was written or compared.
            #expect(finished.facts["verified"].first?.hasPrefix("65536 blocks, 3") == true, "\(finished.facts["verified"])")
        }

        @Test("a disk whose file system is full reports errors, and the guest lives on", .needsRoot)
        func fullFileSystem() throws {
            let directory = TemporaryDirectory()
            let place = directory.makeDirectory("small")
            try #require(mount("tmpfs", place, "tmpfs", 0, "size=4m") == 0, "mount: \(Errno.current)")
            defer { umount2(place, Int32(MNT_DETACH)) }
            let file = try FileDescriptor.open(place + "/disk", [.readWrite, .create])
            try #require(ftruncate(file.raw, 64 << 20) == 0)
            let finished = try Guest("enospc", ["--disk", place + "/disk"]).finish()
            finished.expect(ok: ["enospc"])
            // EIO or ENOSPC, after nearly all of the 4 MiB.
            let words = try #require(finished.facts["disk"].first).split(separator: " ")
            #expect(["errno=5", "errno=28"].contains(words[1]), "\(words)")
            #expect((960...1024).contains(Int(words[3]) ?? 0), "\(words)")
        }

        @Test("a read-only disk takes no writes")
        func readOnly() throws {
            let directory = TemporaryDirectory()
            let disk = try directory.sparseFile("disk", size: 1 << 20)
            try Guest("readonly", ["--disk", disk + ",ro"]).finish().expect(ok: ["readonly"])
            #expect(directory.contents("disk") == [UInt8](repeating: 0, count: 1 << 20))
        }

        @Test("a disk that a guest writes to is no other guest's")
        func lock() throws {
            let directory = TemporaryDirectory()
            let disk = try directory.sparseFile("disk", size: 1 << 20)
            let first = try Guest("button", ["--disk", disk])
            try first.wait(for: "ready")
            for option in [disk, disk + ",ro"] {
                let second = try Guest("facts", ["--disk", option]).finish()
                #expect(second.end == .exited(1))
                #expect(second.console == "")
                #expect(second.errors.hasPrefix("svmm: --disk \(disk): "), "\(second.errors)")
            }
            first.process.signal(SIGTERM)
            try first.finish().expect(ok: ["button"])
            // And free again.
            try Guest("readonly", ["--disk", disk + ",ro"]).finish().expect(ok: ["readonly"])
        }
    }
}
