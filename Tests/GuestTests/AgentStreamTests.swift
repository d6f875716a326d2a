import AgentProtocol
import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("the agent carries streams", .needsRoot, .needsAgent)
    struct AgentStreamTests {
        @Test("any bytes, to the end, both ways, and more than anybody buffers")
        func binary() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            var random = SplitMix64(seed: 11)
            // Several times what sockets and pipes hold.
            let part = random.bytes(1 << 14)
            var bytes: [UInt8] = []
            for _ in 0..<100 { bytes += part }
            let cat = try host.start(.init(["cat"]), input: bytes)
            #expect(try host.finish(cat).status == 0)
            // Without a comparison of each by itself.
            #expect(cat.main.received.count == bytes.count && memcmp(cat.main.received, bytes, bytes.count) == 0)
            // Without input there is nothing to read, and nobody to wait for.
            #expect(try host.run(.init(["cat"])) == .init(status: 0, output: ""))
            #expect(try host.run("echo out; echo err >&2") == .init(status: 0, output: "out\n", errors: "err\n"))
        }

        @Test("a reader that takes nothing stops the writer, and nothing is lost")
        func backPressure() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            let writer = try host.start(.shell("i=0; while [ $i -lt 40 ]; do dd if=/dev/zero bs=65536 count=1 2>/dev/null; i=$((i+1)); echo $i >/tmp/count; done"))
            writer.main.isRead = false
            // Other processes go on, and see how far the first one got: no further than the buffers between are large.
            let count = try host.run("""
                old=x; new=
                while [ "$old" != "$new" ]; do old=$new; sleep 1; new=$(cat /tmp/count); done; echo $new
                """, number: 5)
            #expect((1..<40).contains(Int(count.output.dropLast()) ?? 0), "\(count.output)")
            #expect(host.exits[0] == nil)
            writer.main.isRead = true
            #expect(try host.finish(writer).status == 0)
            #expect(writer.main.received.count == 40 * 65536)
        }

        @Test("a program that does not read ends the input, and one whose output nobody wants is told")
        func closedEnds() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            let deaf = try host.start(.shell("exec <&-; echo closed; sleep 1000"), input: [], isEndless: true)
            try host.wait("the program to have no input") { deaf.main.text == "closed\n" }
            try host.wait("the input to be refused") {
                deaf.main.send("x")
                return deaf.main.isRefused
            }
            #expect(try host.ask(.signal(process: 0, signal: 9)) == .done)
            #expect(try host.finish(deaf) == .init(status: 137, output: "closed\n"))
            // The first process of a PID namespace gets no signals that it has not asked for.
            let main = try host.start(.init(["sleep", "1000"]))
            let endless = try host.start(.init(["yes"]), number: 1)
            try host.wait("some output") { endless.main.received.count > 100_000 }
            endless.main.hangUp()
            endless.errors?.hangUp()
            #expect(try host.finish(endless).status == 141)
            #expect(try host.ask(.signal(process: 0, signal: 9)) == .done)
            #expect(try host.finish(main).status == 137)
        }

        @Test("what a process left behind holds the output, but not its end")
        func leftBehind() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            let main = try host.start(.shell("sleep 1000"))
            #expect(try host.run("sleep 1000 & echo started", number: 1) == .init(status: 0, output: "started\n"))
            #expect(try host.run("yes & echo started", number: 2).output.hasPrefix("started\n"))
            // The main process's end is that of everything.
            #expect(try host.ask(.signal(process: 0, signal: 9)) == .done)
            #expect(try host.finish(main) == .init(status: 137, output: ""))
            #expect(try host.run("sleep 1000 & yes >/dev/null & echo started") == .init(status: 0, output: "started\n"))
        }

        @Test("a terminal has a size, a console and signals by its keys")
        func terminal() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            var configuration = ProcessConfiguration.shell("""
                trap 'stty size; echo resized' WINCH; trap 'echo interrupted; exit 3' INT
                tty; stty size; echo $TERM; test -c /dev/console && echo console >/dev/console; echo ready
                while true; do sleep 1; done
                """)
            configuration.terminal = .init(columns: 100, rows: 30)
            let shell = try host.start(configuration, input: [], isEndless: true)
            try host.wait("ready") { shell.main.text.contains("ready") }
            #expect(shell.main.text.hasPrefix("/dev/pts/0\r\n30 100\r\nxterm\r\nconsole\r\n"))
            #expect(try host.ask(.resize(process: 0, .init(columns: 81, rows: 25))) == .done)
            try host.wait("the new size") { shell.main.text.contains("25 81\r\nresized") }
            // A second terminal, of a process that joins.
            var joining = ProcessConfiguration(["sh", "-c", "tty; read line; echo got $line"])
            joining.terminal = .init(columns: 80, rows: 24)
            let other = try host.start(joining, number: 1, input: Array("typed\r".utf8))
            let outcome = try host.finish(other)
            #expect(outcome.status == 0)
            #expect(outcome.output.contains("/dev/pts/1\r\n"))
            #expect(outcome.output.hasSuffix("got typed\r\n"))
            shell.main.send("\u{3}")
            let end = try host.finish(shell)
            #expect(end.status == 3)
            #expect(end.output.hasSuffix("interrupted\r\n"))
        }

        @Test("a terminal whose client has gone hangs up")
        func hangup() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            let main = try host.start(.init(["sleep", "1000"]))
            var configuration = ProcessConfiguration(["yes"])
            configuration.terminal = .init(columns: 80, rows: 24)
            let yes = try host.start(configuration, number: 1)
            try host.wait("some output") { yes.main.received.count > 10_000 }
            yes.main.hangUp()
            #expect(try host.finish(yes).status == 129)
            #expect(!main.main.hasEnded)
        }
    }
}
