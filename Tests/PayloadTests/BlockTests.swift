import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("gives a guest its disks", .needsKVM)
    struct BlockTests {
        static let chunk = 4096

        @Test("what the guest writes is what it reads and what the file holds", arguments: [
            (64 * 4096, 16), (1 << 20, 1), ((1 << 20) + 512, 16), ((4 << 20) - 512, 64), (1 << 32, 16),
            (1 << 40, 1),
        ])
        func verify(size: Int, depth: Int) throws {
            let directory = TemporaryDirectory()
            let path = try directory.sparseFile("disk", size: size)
            let finished = try Svmm.run("block", "block.depth=\(depth)", ["--disk", path])
            expect(finished)
            #expect(matches(finished.lines, [
                "block: capacity=\(size / 512) id=svmm-disk-0", "block: round 0 *", "block: round 1 *",
                "block: round 2 *", "block: round 3 *", "block: ok requests=512",
            ]), "\(finished.lines)")
            // The payload's last chunk is the disk's last, in the pattern of its last round.
            for sector in [0, size / 512 - Self.chunk / 512] {
                for index in [0, 511] {
                    let found = try word(of: path, at: sector * 512 + 8 * index)
                    #expect(found == Self.pattern(sector: sector, word: UInt64(index), round: 3))
                }
            }
            let file = try FileDescriptor.open(path, .readOnly)
            #expect(try file.status().size == UInt64(size))
        }

        /// As `pattern` of Tools/payloads/block.swift.
        private static func pattern(sector: Int, word: UInt64, round: UInt64) -> UInt64 {
            (UInt64(sector) &+ 1) &* 0x9E37_79B9_7F4A_7C15 ^ (word &+ round &* 0x10001) &* 0xC2B2_AE3D_27D4_EB4F
        }

        private func word(of path: String, at offset: Int) throws -> UInt64 {
            var value: UInt64 = 0
            let file = try FileDescriptor.open(path, .readOnly)
            let count = try withUnsafeMutableBytes(of: &value) { try file.read(into: $0, at: UInt64(offset)) }
            #expect(count == 8)
            return value
        }

        @Test("requests come back at every depth", arguments: [1, 16, 64], ["read", "write"])
        func bench(depth: Int, operation: String) throws {
            let directory = TemporaryDirectory()
            let path = try directory.sparseFile("disk", size: 1 << 24)
            let words = "block.mode=bench block.count=2000 block.depth=\(depth) block.op=\(operation)"
            let finished = try Svmm.run("block", words, ["--disk", path])
            expect(finished)
            #expect(matches(finished.lines, [
                "block: bench requests=2000 bytes=8192000 depth=\(depth) cycles=*", "block: ok bench",
            ]), "\(finished.lines)")
        }

        @Test("what the guest writes is what it reads, however the disk is served", arguments: [
            "engine=io_uring", "engine=threads", "cache=none,engine=io_uring", "cache=none,engine=threads",
            "cache=writethrough", "queues=4", "iops=10K,iops-burst=10,bps=100M",
        ])
        func verify(options: String) throws {
            let directory = TemporaryDirectory()
            let path = directory.path("disk")
            let finished = try Svmm.run("block", "", ["--disk", "\(path),size=1M,format=raw,\(options)"])
            expect(finished)
            #expect(finished.lines.last == "block: ok requests=512", "\(finished.lines)")
            for index in [0, 511] {
                let found = try word(of: path, at: (2048 - Self.chunk / 512) * 512 + 8 * index)
                #expect(found == Self.pattern(sector: 2048 - Self.chunk / 512, word: UInt64(index), round: 3))
            }
        }

        @Test("a disk is made when it is missing, and no other size is taken for it")
        func creation() throws {
            let directory = TemporaryDirectory()
            let path = directory.path("disk")
            expect(try Svmm.run("block", "", ["--disk", "\(path),size=10G"]))
            let refused = try Svmm.run("power", "", ["--disk", "\(path),size=11G"])
            #expect(refused.end == .exited(1))
            let line = "svmm: --disk \(path): 10737418240 bytes long, and size= says 11811160064*"
            #expect(matches(refused.errorLines, [line]), "\(refused.errors)")
        }

        @Test("what the guest has written and flushed is in the file when svmm is killed", arguments: [
            "engine=io_uring", "engine=threads", "cache=none",
        ])
        func killed(options: String) throws {
            let directory = TemporaryDirectory()
            let path = try directory.sparseFile("disk", size: 1 << 20)
            let process = try Svmm.start("block", "block.end=spin", ["--disk", "\(path),\(options)"])
            try process.output.wait(for: "block: ok requests=512")
            process.signal(SIGKILL)
            #expect(try process.waitForEnd() == .killed(SIGKILL))
            for index in [0, 511] {
                #expect(try word(of: path, at: 8 * index) == Self.pattern(sector: 0, word: UInt64(index), round: 3))
            }
            // And nobody holds the disk any more.
            expect(try Svmm.run("block", "", ["--disk", path]))
        }

        @Test("a read-only disk is offered as such and stays as it was")
        func readOnly() throws {
            let directory = TemporaryDirectory()
            var random = SplitMix64(seed: 1)
            let content = random.bytes(1 << 16)
            let path = try directory.file("disk", content)
            let finished = try Svmm.run("block", "block.mode=ro", ["--disk", "\(path),ro"])
            expect(finished)
            #expect(finished.lines == ["block: capacity=128 id=svmm-disk-0", "block: ok read-only"])
            #expect(directory.contents("disk") == content)
        }

        @Test("a writable disk is not offered as read-only, nor the other way round")
        func modes() throws {
            let directory = TemporaryDirectory()
            let path = try directory.sparseFile("disk", size: 1 << 20)
            #expect(try Svmm.run("block", "block.mode=ro", ["--disk", path]).lines == ["block: FAIL RO is not offered"])
            #expect(try Svmm.run("block", "", ["--disk", "\(path),ro"]).lines == ["block: FAIL the disk is read-only"])
        }

        @Test("disks come in the order of their options, each with its size and serial number")
        func order() throws {
            let directory = TemporaryDirectory()
            let disks: [(option: String, id: String)] = [
                ("", "svmm-disk-0"), (",serial=A", "A"), (",ro,serial=12345678901234567890", "12345678901234567890"),
                (",serial=a=b", "a=b"), (",ro", "svmm-disk-4"),
            ]
            var options: [String] = []
            for (index, disk) in disks.enumerated() {
                options += ["--disk", try directory.sparseFile("disk\(index)", size: (index + 1) << 20) + disk.option]
            }
            for (index, disk) in disks.enumerated() {
                let mode = disk.option.contains("ro") ? "ro" : "verify"
                let words = "block.mode=\(mode) virtio.base=\(0xD000_0000 + 0x1000 * index) virtio.slots=1"
                let finished = try Svmm.run("block", words, options)
                expect(finished)
                #expect(finished.lines.first == "block: capacity=\((index + 1) * 2048) id=\(disk.id)", "disk \(index)")
            }
        }

        @Test("the most disks there can be all work")
        func many() throws {
            let directory = TemporaryDirectory()
            let options = try (0..<18).flatMap { ["--disk", try directory.sparseFile("disk\($0)", size: 1 << 20)] }
            let finished = try Svmm.run("block", "virtio.base=\(0xD000_0000 + 0x1000 * 17) virtio.slots=1",
                                        ["--balloon", "off"] + options)
            expect(finished)
            #expect(finished.lines.first == "block: capacity=2048 id=svmm-disk-17")
            #expect(finished.lines.last == "block: ok requests=512")
        }

        // MARK: Locks

        @Test("a disk that one machine writes to is refused to another, also read-only, until that one has ended")
        func writerExcludes() throws {
            let directory = TemporaryDirectory()
            let path = try directory.sparseFile("disk", size: 1 << 20)
            let first = try Svmm.start("power", "power.mode=spin", ["--disk", path])
            try first.output.wait(for: "power: spinning")
            for option in [path, "\(path),ro"] {
                let second = try Svmm.run("power", "", ["--disk", option])
                #expect(second.end == .exited(1))
                let line = "svmm: --disk \(path): in use*"
                #expect(matches(second.errorLines, [line]), "\(second.errors)")
                #expect(second.output.isEmpty)
            }
            first.signal(SIGKILL)
            #expect(try first.waitForEnd() == .killed(SIGKILL))
            expect(try Svmm.run("power", "", ["--disk", path]))
        }

        @Test("a disk that machines only read can be read by more, and not written to")
        func readersShare() throws {
            let directory = TemporaryDirectory()
            let path = try directory.sparseFile("disk", size: 1 << 20)
            let first = try Svmm.start("power", "power.mode=spin", ["--disk", "\(path),ro"])
            try first.output.wait(for: "power: spinning")
            expect(try Svmm.run("block", "block.mode=ro", ["--disk", "\(path),ro", "--disk", "\(path),ro"]))
            let writer = try Svmm.run("power", "", ["--disk", path])
            #expect(writer.end == .exited(1))
            let line = "svmm: --disk \(path): in use*"
            #expect(matches(writer.errorLines, [line]), "\(writer.errors)")
        }
    }
}
