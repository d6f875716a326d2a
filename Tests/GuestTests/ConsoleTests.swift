import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("have a console")
    struct ConsoleTests {
        /// On a machine with virtualization in hardware an exit takes a microsecond; in the rig it takes fifty.
        static let floodKiB = Requirement.isEmulated ? 48 : 4096

        @Test("a guest that prints much loses nothing to a reader that reads")
        func flood() throws {
            let finished = try Guest("flood", words: "test.kib=\(Self.floodKiB)").finish()
            finished.expect(ok: ["flood"])
            let lines = finished.console.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("flood ") }
            #expect(lines.count == Self.floodKiB * 16)
            #expect(zip(0..., lines).allSatisfy { $1.utf8.count == 63 && $1.hasPrefix("flood \($0) ") })
        }

        @Test("a reader that never reads does not keep the guest from powering off")
        func unread() throws {
            let guest = try Guest("flood", words: "test.kib=16", output: .unread)
            #expect(try guest.process.waitForEnd() == .exited(0))
            let errors = String(decoding: try guest.process.errors.waitForEnd(), as: UTF8.self)
            #expect(errors.hasSuffix("svmm: the guest powered off\n"), "\(errors)")
            #expect(errors.contains(" bytes of console output were lost"), "\(errors)")
        }

        @Test("lines typed into standard input reach the guest, and their echo comes back")
        func echo() throws {
            let guest = try Guest("echo", input: .pipe)
            try guest.wait(for: "ready")
            let long = String(repeating: "0123456789", count: 30)
            try guest.process.send("one\n\(long)\n")
            try guest.wait(for: "echo \(long)")
            try guest.process.send("three\nquit\n")
            let finished = try guest.finish()
            finished.expect(ok: ["echo"])
            #expect(finished.facts["echo"] == ["one", long, "three"])
        }

        @Test("the end of standard input is not the end of the guest")
        func endOfInput() throws {
            let guest = try Guest("button", input: .pipe)
            guest.process.closeInput()
            try guest.wait(for: "ready")
            guest.process.signal(SIGTERM)
            try guest.finish().expect(ok: ["button"])
        }

        @Test("a file takes the console, and standard output stays empty")
        func file() throws {
            let directory = TemporaryDirectory()
            let finished = try Guest("facts", ["--console", "file=\(directory.path("console"))"]).finish()
            finished.expect()
            #expect(finished.console == "")
            let facts = Facts(console: String(decoding: directory.contents("console") ?? [], as: UTF8.self))
            #expect(facts["ok"] == ["facts"])
        }

        @Test("a client that connects to the socket late sees the boot, and can type")
        func socket() throws {
            let directory = TemporaryDirectory()
            let path = directory.path("console")
            let disk = try directory.sparseFile("disk", size: 1 << 20)
            // The writes tell, without the console, how far the guest is.
            let guest = try Guest("write,echo", words: "test.bytes=65536", ["--console", "unix=\(path)", "--disk", disk])
            try waitUntil("the guest writes to its disk") { directory.contents("disk")?.contains { $0 != 0 } == true }
            let client = try UnixClient(path: path)
            let start = try client.receive(until: "guest: ready")
            #expect(start.contains("guest: up"))
            try client.send("hello\nquit\n")
            let rest = try client.receive(until: "guest: ok echo")
            #expect(rest.contains("guest: echo hello"))
            #expect(try guest.process.waitForEnd() == .exited(0))
            #expect(!directoryEntries(directory.path).contains("console"))
        }

        @Test("without a console the guest runs all the same")
        func none() throws {
            let directory = TemporaryDirectory()
            let disk = try directory.sparseFile("disk", size: 1 << 20)
            let options = ["--console", "none", "--disk", disk]
            let finished = try Guest("write", words: "test.bytes=65536", options).finish()
            finished.expect()
            #expect(finished.console == "")
            #expect(directory.contents("disk")?.contains { $0 != 0 } == true)
        }
    }
}
