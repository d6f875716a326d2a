import Glibc
import LinuxSystem
import ProcessSupport
import Testing

extension LinuxGuests {
    @Suite("run containers", .needsImages)
    struct ContainerRunTests {
        struct Case: CustomTestStringConvertible, Sendable {
            let testDescription: String
            var options: [String] = []
            let command: [String]
            var status: Int32 = 0
            var output = ""
            /// Part of what is said on standard error.
            var errors = ""
        }

        // A machine boots for each of them: what goes together is in one.
        static let cases = [
            Case(testDescription: "a status is passed on", command: ["sh", "-c", "exit 42"], status: 42),
            Case(testDescription: "a signal's death is 128 and its number; --init stands before the process", options: ["--init"],
                 command: ["sh", "-c", "[ $$ -ne 1 ] && echo second; kill -9 $$"], status: 137, output: "second\n"),
            Case(testDescription: "a command that is not there is 127", command: ["/no/such/program"], status: 127, errors: "/no/such/program"),
            Case(testDescription: "a file that cannot be executed is 126", command: ["/etc/passwd"], status: 126, errors: "/etc/passwd"),
            Case(testDescription: "a user that the image does not know", options: ["-u", "nobody-here"], command: ["true"], status: 125,
                 errors: "nobody-here"),
            Case(testDescription: "a container as it is without options", command: ["sh", "-c", """
                 echo $$; echo out; echo err >&2; cat /proc/kcore 2>/dev/null | head -c 1 | wc -c
                 echo 1 2>/dev/null >/proc/sys/kernel/panic || echo no
                 """], output: "1\nout\n0\nno\n", errors: "err\n"),
            Case(testDescription: "who and where the process is, and what it may do",
                 options: ["-e", "A=b c", "-w", "/new/place", "--hostname", "box", "-u", "app", "--ulimit", "nofile=123:456", "--cap-drop", "all",
                           "--security-opt", "no-new-privileges", "--shm-size", "2m", "--add-host", "there:10.1.2.3"],
                 command: ["sh", "-c", """
                     echo $A $PATH; pwd; hostname; cat /etc/hostname; id -u; id -g; id -G; ulimit -n; ulimit -Hn
                     grep -E 'CapEff|NoNewPrivs' /proc/self/status | cut -f2; df -k /dev/shm | awk 'NR==2{print $2}'; grep -w there /etc/hosts
                     """],
                 output: """
                     b c /bin:/usr/bin
                     /new/place
                     box
                     box
                     1000
                     1000
                     1000 2000
                     123
                     456
                     0000000000000000
                     1
                     2048
                     10.1.2.3\tthere

                     """),
            Case(testDescription: "--read-only leaves --tmpfs; --entrypoint",
                 options: ["--read-only", "--tmpfs", "/scratch:size=1m", "--entrypoint", "sh"],
                 command: ["-c", "touch /x 2>/dev/null || echo no; echo yes >/scratch/x && cat /scratch/x"], output: "no\nyes\n"),
        ]

        @Test("run --rm", arguments: cases)
        func run(_ example: Case) throws {
            let outcome = try Container.run(example.options, example.command)
            #expect(outcome.status == example.status, "\(outcome.errors)")
            #expect(outcome.text == example.output)
            #expect(outcome.errors.contains(example.errors), "\(outcome.errors)")
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }

        @Test("input and output are the bytes that they were, to the end of file")
        func binaryStreams() throws {
            var state: UInt64 = 42
            let bytes = (0..<300_000).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 33)
            }
            let outcome = try Container.run(["-i"], ["cat"], input: bytes)
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output == bytes)
        }

        @Test("a reader that goes away ends the writer, not svmm")
        func brokenPipe() throws {
            let process = try ChildProcess(["sh", "-c", "\"$@\" | head -c 10", "sh", Guest.svmm, "container", "run", "--rm", "--network", "none",
                                            Container.busybox, "yes"])
            let outcome = try Container.Outcome(process)
            #expect(outcome.text == "y\ny\ny\ny\ny\n")
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }

        @Test("a directory of the host is bound: written to, or read only")
        func binds() throws {
            let directory = Container.root + "/bind"
            try makeDirectory(directory, permissions: 0o755)
            let outcome = try Container.run(["-v", "\(directory):/data", "-v", "\(directory):/kept:ro"],
                                            ["sh", "-c", "echo words >/data/file; cat /kept/file; rm /kept/file"])
            #expect(outcome.status != 0)
            #expect(outcome.text == "words\n", "\(outcome.errors)")
            #expect(contents(ofSmallFile: directory + "/file") == Array("words\n".utf8))
        }

        @Test("a process that takes too much memory is killed, and that is said")
        func outOfMemory() throws {
            let command = ["sh", "-c", "a=x; while true; do a=$a$a$a$a; done"]
            try Container.background(["-m", "128m"], running: command) { name throws in
                #expect(try Container.command("wait", name) == "137\n")
                #expect(try Container.command("inspect", "--format", "{{.State.OOMKilled}}", name) == "true\n")
            }
        }

        static let refused: [([String], String)] = [
            (["--no-such-option"], "--no-such-option"), (["-p", "70000:80"], "70000"), (["-v", "relative:also:rw:x"], "relative"),
            (["-v", "/no/such/directory:/x"], "/no/such/directory"), (["-m", "1k"], "1k"), (["--cpus", "none"], "none"),
            (["--network", "backend"], "backend"), (["--ulimit", "nofiles=1"], "nofiles"), (["--cap-add", "fly"], "fly"),
            (["--restart", "sometimes"], "sometimes"), (["--stop-signal", "SIGFOO"], "SIGFOO"), (["-e", "=x"], "=x"),
            (["--platform", "linux/s390x"], "s390x"), (["--name", "../x"], "../x"),
        ]

        @Test("what cannot be is refused in one line, and leaves nothing", arguments: refused)
        func refusals(_ options: [String], _ named: String) throws {
            let outcome = try Container.run(options, ["true"])
            #expect(outcome.status == 125 || outcome.status == 2)
            #expect(outcome.errors.contains(named), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }

        @Test("an image that is not there is refused")
        func noImage() throws {
            let outcome = try Container.outcome(["run", "--rm", "--pull", "never", "no/such/image:here", "true"])
            #expect(outcome.status == 125)
            #expect(outcome.errors.contains("no/such/image:here"), "\(outcome.errors)")
        }
    }
}
