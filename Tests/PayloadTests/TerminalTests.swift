import Glibc
import LinuxSystem
import ProcessSupport
import Testing

extension SvmmBoot {
    @Suite("shares a terminal", .needsKVM)
    struct TerminalTests {
        /// A shell on a terminal that runs svmm, then says its exit status and waits: as a person's shell would, it
        /// outlives svmm, so that the terminal's mode is svmm's doing alone.
        private struct Session {
            let terminal: PseudoTerminal
            let shell: ChildProcess
            /// The terminal's mode before svmm.
            let mode: [UInt8]
            let svmm: Int32

            init(_ payload: String, _ words: String, ready: String) throws {
                terminal = try PseudoTerminal()
                mode = try terminal.mode()
                // The pid that the inner shell prints becomes svmm's.
                let script = #"sh -c 'echo "pid=$$;"; exec "$@"' sh "$@"; echo "status=$?;"; read line"#
                let boot = [Svmm.path, "boot", "--kernel", try Svmm.payload(payload), "--cmdline", words]
                shell = try ChildProcess(["sh", "-c", script, "sh"] + boot, on: terminal)
                try terminal.output.wait(for: ready)
                let words = terminal.output.text.split { "=;".contains($0) }
                svmm = try #require(Int32(words.dropFirst().first ?? ""))
            }

            /// Waits for svmm's end, then for the terminal's mode to be what it was.
            func expectEnd(status: Int32, sourceLocation: SourceLocation = #_sourceLocation) throws {
                try terminal.output.wait(for: "status=\(status);")
                try waitUntil("the terminal's mode is restored") { try terminal.mode() == mode }
            }
        }

        @Test("raw while the guest runs, as before once it has powered off")
        func powerOff() throws {
            let session = try Session("echo", "", ready: "echo: ready")
            #expect(try !session.terminal.isCooked())
            // Ctrl-C, Ctrl-Z, Ctrl-D and the like are the guest's.
            try session.terminal.type([3, 26, 4, 28, 17, 19])
            try session.terminal.output.wait(for: "\u{3}\u{1A}\u{4}\u{1C}\u{11}\u{13}")
            try session.terminal.type("q")
            try session.expectEnd(status: 0)
            #expect(try session.terminal.isCooked())
        }

        @Test("Ctrl-A x ends the machine with status 130", arguments: ["x", "X", "\u{18}"])
        func quit(key: String) throws {
            let session = try Session("power", "power.mode=spin", ready: "power: spinning")
            try session.terminal.type("\u{1}\(key)")
            try session.terminal.output.wait(for: "svmm: ended by Ctrl-A x")
            try session.expectEnd(status: 130)
        }

        @Test("restored after SIGKILL or SIGQUIT", arguments: [(SIGKILL, 137), (SIGQUIT, 131)] as [(Int32, Int32)])
        func killed(signal: Int32, status: Int32) throws {
            let session = try Session("power", "power.mode=spin", ready: "power: spinning")
            #expect(try !session.terminal.isCooked())
            kill(session.svmm, signal)
            try session.expectEnd(status: status)
        }

        @Test("restored after a guest's crash")
        func crash() throws {
            let session = try Session("power", "power.mode=triple", ready: "power: triple")
            try session.expectEnd(status: 11)
        }

        @Test("Ctrl-A h shows help, Ctrl-A Ctrl-A sends one Ctrl-A, and other keys after Ctrl-A do not reach the guest")
        func keys() throws {
            let session = try Session("echo", "", ready: "echo: ready\r\n")
            try session.terminal.type("\u{1}h")
            try session.terminal.output.wait(for: "Ctrl-A x  quit")
            let seen = try session.terminal.output.wait(for: "Ctrl-A Ctrl-A  send Ctrl-A to the guest")
            try session.terminal.type("a\u{1}\u{1}b")
            try session.terminal.output.wait(for: "a\u{1}b", after: seen)
            // The prefix and its key may come apart.
            try session.terminal.type("\u{1}")
            try session.terminal.type("\u{1}c")
            try session.terminal.output.wait(for: "\u{1}c", after: seen)
            try session.terminal.type("q")
            try session.expectEnd(status: 0)
        }

        @Test("Ctrl-A p presses the power button")
        func button() throws {
            let session = try Session("power", "power.mode=button", ready: "power: waiting")
            try session.terminal.type("\u{1}p")
            try session.terminal.output.wait(for: "power: button")
            try session.expectEnd(status: 0)
        }

        @Test("lines of svmm begin at the left edge")
        func lineEnds() throws {
            let session = try Session("power", "", ready: "status=0;")
            try session.terminal.output.wait(for: "svmm: the guest powered off\r\n")
            #expect(session.terminal.output.text.contains("\r\nsvmm: the guest"))
        }
    }
}
