import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("have a virtio console")
    struct ConsoleDeviceTests {
        private static let options = ["--console", "stdio,device=virtio"]

        @Test("a guest that prints much loses nothing to a reader that reads")
        func flood() throws {
            let kibibytes = Requirement.isEmulated ? 128 : 4096
            let finished = try Guest("flood", words: "test.kib=\(kibibytes)", Self.options).finish()
            finished.expect(ok: ["flood"])
            let lines = finished.console.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("flood ") }
            #expect(lines.count == kibibytes * 16)
            #expect(zip(0..., lines).allSatisfy { $1.utf8.count == 63 && $1.hasPrefix("flood \($0) ") })
        }

        @Test("a reader that never reads does not keep the guest from powering off")
        func unread() throws {
            let guest = try Guest("flood", words: "test.kib=64", Self.options, output: .unread)
            #expect(try guest.process.waitForEnd() == .exited(0))
            let errors = String(decoding: try guest.process.errors.waitForEnd(), as: UTF8.self)
            #expect(errors.contains(" bytes of console output were lost"), "\(errors)")
        }

        @Test("lines typed into standard input reach the guest, and it powers off", arguments: [Kernel.vmlinux, .debian])
        func echo(kernel: Kernel) throws {
            let guest = try Guest("echo", kernel: kernel, Self.options, input: .pipe)
            try guest.wait(for: "ready")
            // Lines of a terminal have 4095 bytes at the most.
            let long = String(repeating: "0123456789", count: 400)
            try guest.process.send("one\n\(long)\n")
            try guest.wait(for: "echo \(long)")
            // More than the driver has buffers for at once; the guest takes them one line after the other.
            let many = (0..<500).map { "line \($0)" }
            try guest.process.send(many.joined(separator: "\n") + "\nquit\n")
            let finished = try guest.finish()
            finished.expect(ok: ["echo"])
            #expect(finished.facts["echo"] == ["one", long] + many)
            // The kernel's log from its beginning is not lost to the driver's coming late.
            #expect(finished.facts["up"].count == 1)
        }

        @Test("the terminal's size is the guest's, and so is its change")
        func resize() throws {
            let terminal = try PseudoTerminal()
            try terminal.resize(columns: 91, rows: 33)
            let process = try ChildProcess(Guest.arguments("resize", Self.options), on: terminal)
            try terminal.output.wait(for: "guest: ready")
            try terminal.output.wait(for: "guest: size 91x33")
            try terminal.resize(columns: 120, rows: 40)
            try terminal.output.wait(for: "guest: size 120x40")
            #expect(try process.waitForEnd() == .exited(0))
        }

        @Test("a file takes the console, also where the serial port is a console beside it")
        func file() throws {
            let directory = TemporaryDirectory()
            let console = "file=\(directory.path("console")),device=virtio"
            // The kernel's messages go to both.
            let finished = try Guest("flood", words: "test.kib=1 console=ttyS0 console=hvc0", ["--console", console]).finish()
            finished.expect()
            let text = String(decoding: directory.contents("console") ?? [], as: UTF8.self)
            #expect(Facts(console: text)["ok"] == ["flood"])
        }
    }
}
