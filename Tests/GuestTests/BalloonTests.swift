import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("give memory back")
    struct BalloonTests {
        private let directory = TemporaryDirectory()
        private var state: String { directory.path("vm") }

        private func options(_ memory: String) -> [String] {
            ["--memory", memory, "--state", state, "--console", "stdio,device=virtio"]
        }

        /// The figures of `svmm stats`, by name.
        private func statistics() throws -> [String: Int] {
            let process = try ChildProcess([Guest.svmm, "stats", state])
            #expect(try process.waitForEnd() == .exited(0))
            let text = String(decoding: try process.output.waitForEnd(), as: UTF8.self)
            let pairs = text.split(separator: "\n").compactMap { line -> (String, Int)? in
                let words = line.split(separator: ": ")
                return words.count == 2 ? Int(words[1]).map { (String(words[0]), $0) } : nil
            }
            return Dictionary(pairs) { $1 }
        }

        private func setMemory(_ size: String) throws {
            #expect(try ChildProcess([Guest.svmm, "balloon", state, size]).waitForEnd() == .exited(0))
        }

        /// svmm's own kernel has no huge pages and is given less to do: in the rig each page takes as long as hundreds elsewhere.
        /// It reports free blocks of 4 MiB, Debian's of 2 MiB (pageblock_order), and pages in blocks of which something else is in
        /// use stay.
        @Test("what a guest has used and freed is the host's again, without anybody asking",
              arguments: [(Kernel.vmlinux, 200, 3.0 / 5), (.debian, 500, 4.0 / 5)])
        func reporting(kernel: Kernel, mebibytes: Int, part: Double) throws {
            let guest = try Guest("memory", kernel: kernel, words: "test.mib=\(mebibytes)", options("768M"), input: .pipe)
            try guest.wait(for: "touched \(mebibytes)")
            let used = try #require(guest.process.residentKiB)
            #expect(used > mebibytes * 1024)
            try guest.process.send("\n")
            try guest.wait(for: "freed")
            try waitUntil("more than \(part) of it are given back") {
                try #require(guest.process.residentKiB) < used - Int(Double(mebibytes * 1024) * part)
            }
            try guest.process.send("\n")
            try guest.finish().expect(ok: ["memory"])
        }

        @Test("a balloon that is blown up takes memory that the guest used, and gives it back when it is let down")
        func balloon() throws {
            let disk = try directory.sparseFile("disk", size: 320 << 20)
            let guest = try Guest("cache,echo", words: "test.mib=320", options("512M") + ["--disk", "\(disk),ro"], input: .pipe)
            try guest.wait(for: "ready")
            let before = try statistics()
            #expect(before["memory"] == 512 << 20 && before["balloon"] == 0)
            #expect((400 << 20...512 << 20).contains(before["guest_total"] ?? 0), "\(before)")
            #expect(before["guest_caches"] ?? 0 > 300 << 20, "\(before)")
            #expect(before["resident"] ?? 0 > 320 << 20, "\(before)")
            try setMemory("272M")
            try waitUntil("the balloon holds 240 MiB") { try statistics()["balloon"] == 240 << 20 }
            let small = try statistics()
            #expect(small["balloon_target"] == 240 << 20)
            // The guest has 272 MiB, and svmm a few. What was free before was not resident: that much less has come back.
            #expect(small["resident"] ?? .max < (before["resident"] ?? 0) - 64 << 20, "before \(before), now \(small)")
            #expect(small["resident"] ?? .max < 288 << 20, "before \(before), now \(small)")
            try setMemory("512M")
            try waitUntil("the balloon is empty") { try statistics()["balloon"] == 0 }
            try guest.process.send("quit\n")
            try guest.finish().expect(ok: ["cache", "echo"])
        }

        @Test("without a balloon there is none")
        func off() throws {
            let finished = try Guest("facts", ["--balloon", "off"]).finish()
            finished.expect(ok: ["facts"])
            #expect(finished.facts["virtio"].count == 1)
        }

        @Test("a guest whose random numbers are rationed boots, and gets some")
        func rationed() throws {
            let finished = try Guest("facts", ["--rng-bps", "2000"]).finish()
            finished.expect(ok: ["facts"])
        }
    }
}
