import Glibc
import LinuxSystem
import ProcessSupport
import Testing

extension LinuxGuests {
    @Suite("share a terminal")
    struct TerminalTests {
        /// A shell on a terminal that runs svmm, says its exit status and waits: as a person's shell does, it outlives svmm,
        /// so that the terminal's mode is svmm's doing alone.
        private struct Session {
            let terminal: PseudoTerminal
            let shell: ChildProcess
            /// The terminal's mode before svmm.
            let mode: [UInt8]
            let svmm: Int32

            init(_ scenario: String) throws {
                terminal = try PseudoTerminal()
                mode = try terminal.mode()
                // The pid that the inner shell prints becomes svmm's.
                let script = #"sh -c 'echo "pid=$$;"; exec "$@"' sh "$@"; echo "status=$?;"; read line"#
                shell = try ChildProcess(["sh", "-c", script, "sh"] + Guest.arguments(scenario), on: terminal)
                try terminal.output.wait(for: "guest: ready")
                let words = terminal.output.text.split { "=;".contains($0) }
                svmm = try #require(Int32(words.dropFirst().first ?? ""))
            }

            /// Waits for svmm's end, then for the terminal's mode to be what it was.
            func expectEnd(status: Int32) throws {
                try terminal.output.wait(for: "status=\(status);")
                try waitUntil("the terminal's mode is restored") { try terminal.mode() == mode }
            }
        }

        @Test("keys go to the guest one by one, and the terminal is as before once the guest has powered off")
        func powerOff() throws {
            let session = try Session("echo")
            #expect(try !session.terminal.isCooked())
            try session.terminal.type("hello\r")
            try session.terminal.output.wait(for: "guest: echo hello")
            try session.terminal.type("quit\r")
            try session.expectEnd(status: 0)
        }

        @Test("Ctrl-A h shows help; Ctrl-A x ends the machine and restores the terminal")
        func quit() throws {
            let session = try Session("hang")
            try session.terminal.type("\u{1}h")
            try session.terminal.output.wait(for: "Ctrl-A x  quit")
            try session.terminal.type("\u{1}x")
            try session.expectEnd(status: 130)
        }

        @Test("the terminal is restored after svmm was killed by SIGKILL")
        func killed() throws {
            let session = try Session("hang")
            #expect(try !session.terminal.isCooked())
            kill(session.svmm, SIGKILL)
            try session.expectEnd(status: 137)
        }
    }
}
