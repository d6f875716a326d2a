import Glibc
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("stand still")
    struct PauseTests {
        private let directory = TemporaryDirectory()

        private func end(_ word: String) throws -> ProcessEnd {
            try ChildProcess([Guest.svmm, word, directory.path("vm")]).waitForEnd()
        }

        private func command(_ word: String) throws {
            #expect(try end(word) == .exited(0), "svmm \(word)")
        }

        @Test("and go on, many times, and shut down while they stand", arguments: [
            (Kernel.vmlinux, "1"), (.vmlinux, "4"), (.debian, "1"),
        ])
        func pauseAndResume(kernel: Kernel, processors: String) throws {
            let guest = try Guest("button", kernel: kernel,
                                  ["--cpus", processors, "--grace", "300", "--state", directory.path("vm")])
            // While it boots, too: processors start one after the other then.
            try waitUntil("the machine can be asked") { try end("pause") == .exited(0) }
            try command("resume")
            for _ in 0..<5 {
                try command("pause")
                try command("resume")
            }
            try guest.wait(for: "ready")
            for _ in 0..<5 {
                try command("pause")
                try command("resume")
            }
            try command("pause")
            guest.process.signal(SIGTERM)
            let finished = try guest.finish()
            finished.expect(ok: ["button"])
            for words in ["stall", "lockup", "hung", "BUG", "WARNING"] { #expect(!finished.console.contains(words), "\(finished.console)") }
        }
    }
}
