import Glibc
import LinuxSystem
import ProcessSupport
import Testing

extension LinuxGuests {
    @Suite("keep containers", .needsImages)
    struct ContainerLifeTests {
        /// Says `ready`, and `stopping` when it gets a SIGTERM; ends with 7 then.
        private static let service = ["sh", "-c", "trap 'echo stopping; exit 7' TERM; echo ready; while true; do sleep 1000 & wait; done"]

        /// Waits until the log of a container has this.
        private func wait(for words: String, in name: String) throws {
            let follower = try Container.start(["logs", "-f", name])
            defer { follower.signal(SIGKILL) }
            try follower.output.wait(for: words)
        }

        @Test("stop presses the power button: SIGTERM in the container, its status outside")
        func stop() throws {
            try Container.background(running: Self.service) { name throws in
                try wait(for: "ready", in: name)
                try Container.command("stop", name)
                #expect(try Container.command("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", name) == "exited 7\n")
                #expect(try Container.command("logs", name) == "ready\nstopping\n")
                #expect(try Container.command("logs", "--boot", name).contains("Linux version"))
                #expect(try Container.command("logs", "--timestamps", "--tail", "1", name).hasSuffix("Z stopping\n"))
            }
        }

        @Test("SIGTERM to svmm in the foreground stops the container")
        func foregroundSignal() throws {
            let process = try Container.start(["run", "--rm", "--network", "none", Container.busybox] + Self.service)
            try process.output.wait(for: "ready")
            process.signal(SIGTERM)
            let outcome = try Container.Outcome(process)
            #expect(outcome.status == 7, "\(outcome.errors)")
            #expect(outcome.text == "ready\nstopping\n")
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }

        @Test("what a container has written is there when it starts again")
        func startAgain() throws {
            try Container.background(running: ["sh", "-c", "echo x >>/count; wc -l </count"]) { name throws in
                #expect(try Container.command("wait", name) == "0\n")
                #expect(try Container.command("start", "-a", name) == "2\n")
                #expect(try Container.command("logs", name) == "1\n2\n")
            }
        }

        @Test("exec joins a running container, with streams, status, user and terminal of its own")
        func exec() throws {
            try Container.background(running: Self.service) { name throws in
                try wait(for: "ready", in: name)
                #expect(try Container.command("exec", name, "sh", "-c", "echo joined; hostname >/dev/null") == "joined\n")
                #expect(try Container.outcome(["exec", name, "sh", "-c", "exit 9"]).status == 9)
                #expect(try Container.outcome(["exec", name, "/no/such"]).status == 127)
                #expect(try Container.outcome(["exec", name, "/etc/group"]).status == 126)
                #expect(try Container.command("exec", "-u", "7:8", name, "sh", "-c", "id -u; id -g") == "7\n8\n")
                #expect(try Container.command("exec", "-u", "app", "-w", "/tmp", "-e", "A=1", name, "sh", "-c", "id -u; pwd; echo $A") == "1000\n/tmp\n1\n")
                #expect(try Container.outcome(["exec", "-i", name, "cat"], input: Array("through".utf8)).text == "through")
                // The container's own end takes what joined it along.
                let longer = try Container.start(["exec", name, "sh", "-c", "echo joined; sleep 1000"])
                try longer.output.wait(for: "joined")
                try Container.command("stop", name)
                let end = try longer.waitForEnd()
                #expect(end == .exited(137))
            }
        }

        @Test("kill, pause, rename, top, stats, ls and inspect")
        func commands() throws {
            try Container.background(["--name", "first", "-l", "a=b"], running: Self.service) { _ throws in
                try wait(for: "ready", in: "first")
                let another = try Container.run(["--name", "first"], ["true"])
                #expect(another.status == 125)
                #expect(another.errors.contains("first"), "\(another.errors)")
                #expect(try Container.outcome(["rm", "first"]).status != 0)
                try Container.command("rename", "first", "second")
                #expect(try Container.command("ls", "--format", "{{.Names}} {{.Status}}").hasPrefix("second Up"))
                #expect(try Container.command("ls", "-q", "--filter", "label=a=b").split(separator: "\n").count == 1)
                #expect(try Container.command("top", "second").contains("sleep 1000"))
                #expect(try Container.command("stats", "--no-stream", "second").contains("second"))
                try Container.command("pause", "second")
                #expect(try Container.command("inspect", "--format", "{{.State.Status}}", "second") == "paused\n")
                try Container.command("unpause", "second")
                try Container.command("kill", "-s", "KILL", "second")
                #expect(try Container.command("wait", "second") == "137\n")
                #expect(try Container.outcome(["rm", "second"]).status == 0)
            }
        }

        @Test("files are copied out of a container and into it, links and all; who ignores SIGTERM is killed in time")
        func copy() throws {
            let folder = Container.root + "/copy"
            try makeDirectory(folder, permissions: 0o755)
            try Container.background(running: ["sh", "-c", "mkdir -p /d/e; echo deep >/d/e/f; ln -s /etc/passwd /d/l; echo ready; sleep 1000"]) { name throws in
                try wait(for: "ready", in: name)
                try Container.command("cp", "\(name):/d", folder)
                #expect(contents(ofSmallFile: folder + "/d/e/f") == Array("deep\n".utf8))
                #expect(try fileStatus(at: folder + "/d/l", followingLinks: false).kind == .other)
                try Container.command("cp", folder + "/d/e", "\(name):/tmp")
                #expect(try Container.command("exec", name, "cat", "/tmp/e/f") == "deep\n")
                let archive = try Container.outcome(["export", name])
                #expect(archive.status == 0 && archive.output.count > 512 && archive.output.count % 512 == 0, "\(archive.errors)")
                // The first process of a namespace gets no signal that it has no handler for.
                try Container.command("stop", "-t", "1", name)
                #expect(try Container.command("inspect", "--format", "{{.State.ExitCode}}", name) == "137\n")
            }
        }

        @Test("restart on failure, as often as asked for")
        func restartOnFailure() throws {
            try Container.background(["--restart", "on-failure:2"], running: ["sh", "-c", "echo run; exit 3"]) { name throws in
                #expect(try Container.command("wait", name) == "3\n")
                #expect(try Container.command("logs", name) == "run\nrun\nrun\n")
                #expect(try Container.command("inspect", "--format", "{{.RestartCount}}", name) == "2\n")
            }
        }

        @Test("a health check tells when the container is well, and when it no longer is")
        func health() throws {
            let options = ["--health-cmd", "test -e /well", "--health-interval", "1s", "--health-retries", "2"]
            try Container.background(options, running: ["sh", "-c", "touch /well; echo ready; sleep 1000"]) { name throws in
                let events = try ChildProcess([Guest.svmm, "events", "--filter", "container=\(name)", "--filter", "event=health_status"])
                defer { events.signal(SIGKILL) }
                try wait(for: "ready", in: name)
                try waitUntil("healthy") { try Container.command("inspect", "--format", "{{.State.Health.Status}}", name) == "healthy\n" }
                try Container.command("exec", name, "rm", "/well")
                try events.output.wait(for: "unhealthy")
            }
        }

        @Test("a container on a terminal: its size, Ctrl-C, and detaching")
        func terminal() throws {
            let terminal = try PseudoTerminal()
            try terminal.resize(columns: 91, rows: 33)
            let mode = try terminal.mode()
            let process = try ChildProcess(
                [Guest.svmm, "container", "run", "-it", "--name", "screen", "--network", "none", Container.busybox, "sh"], on: terminal)
            defer { _ = try? Container.outcome(["rm", "-f", "screen"]) }
            try terminal.output.wait(for: "#")
            try terminal.type("stty size; tty\r")
            try terminal.output.wait(for: "33 91")
            try terminal.resize(columns: 70, rows: 20)
            try terminal.type("sleep 1000\r")
            try terminal.type("\u{3}")
            try terminal.type("stty size\r")
            try terminal.output.wait(for: "20 70")
            try terminal.type("\u{10}\u{11}")
            #expect(try process.waitForEnd() == .exited(0))
            #expect(try terminal.mode() == mode)
            #expect(try Container.command("inspect", "--format", "{{.State.Running}}", "screen") == "true\n")
            let again = try ChildProcess([Guest.svmm, "container", "attach", "screen"], on: terminal)
            try terminal.type("echo back; exit 5\r")
            #expect(try again.waitForEnd() == .exited(5))
            #expect(try terminal.mode() == mode)
        }
    }
}
