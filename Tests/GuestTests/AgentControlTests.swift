import AgentProtocol
import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("the agent keeps a container in hand", .needsRoot, .needsAgent)
    struct AgentControlTests {
        @Test("processes join, are listed, frozen, signalled and end with the main one")
        func joining() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            #expect(try host.failure(.init(["true"]), number: 1).kind == .notFound)
            let main = try host.start(.shell("trap 'echo term; exit 5' TERM; echo ready; while true; do sleep 1; done"))
            try host.wait("ready") { main.main.text == "ready\n" }
            #expect(try host.failure(.init(["true"])).text == "the container's process runs already")
            #expect(try host.run("cat /proc/1/comm; echo $$ >/tmp/joined; cat /proc/self/cgroup", number: 1) == .init(status: 0, output: "sh\n0::/\n"))
            #expect(try host.failure(.init(["nosuch"]), number: 2).kind == .commandNotFound)
            let joined = try host.start(.init(["sleep", "1000"]), number: 3)
            guard case .processes(let entries) = try host.ask(.processes) else { return #expect(Bool(false), "no list") }
            #expect(entries.first { $0.identifier == 1 }?.command.hasPrefix("/bin/sh -c trap") == true)
            let sleeper = try #require(entries.first { $0.command == "sleep 1000" })
            #expect(sleeper.parent == 0)
            #expect(sleeper.user == 0)
            #expect(sleeper.resident > 0)
            guard case .statistics(let statistics) = try host.ask(.statistics) else { return #expect(Bool(false), "no figures") }
            #expect(statistics.processes >= 3)
            #expect(statistics.cpu > 0)
            #expect(statistics.memory > 4096)
            #expect(statistics.memoryTotal > 200 << 20)
            #expect(statistics.blockRead > 4096)
            // Frozen, nothing goes on: not even a start, which is finished afterwards.
            #expect(try host.ask(.freeze(true)) == .done)
            let (request, late) = try host.begin(.init(["echo", "thawed"]), number: 4)
            #expect(try host.ask(.status(path: "/etc")) != .done)
            #expect(!late.main.hasEnded)
            #expect(try host.ask(.freeze(false)) == .done)
            #expect(try host.reply(request) == .done)
            #expect(try host.finish(late) == .init(status: 0, output: "thawed\n"))
            #expect(try host.ask(.signal(process: 0, signal: 15)) == .done)
            #expect(try host.finish(joined).status == 137)
            #expect(try host.finish(main) == .init(status: 5, output: "ready\nterm\n"))
        }

        @Test("an init process reaps, passes signals on and ends with the program's status")
        func initProcess() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            var configuration = ProcessConfiguration.shell("""
                trap 'echo term; exit 9' TERM
                (sleep 0 & exec sleep 0) ; sleep 1; echo $$; ps -o stat,comm | grep -c '^Z'; echo ready
                while true; do sleep 1; done
                """)
            configuration.hasInit = true
            configuration.user = "alice"
            let main = try host.start(configuration)
            try host.wait("ready") { main.main.text.hasSuffix("ready\n") }
            #expect(main.main.text == "2\n0\nready\n")
            #expect(try host.ask(.signal(process: 0, signal: 15)) == .done)
            #expect(try host.finish(main).status == 9)
            configuration.arguments = ["nosuch"]
            #expect(try host.failure(configuration).kind == .commandNotFound)
            configuration.arguments = ["sh", "-c", "kill -9 $$"]
            #expect(try host.run(configuration).status == 137)
        }

        @Test("memory that is used up ends the container's process, not the machine")
        func outOfMemory() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            let outcome = try host.run(.init(["tail", "/dev/zero"]))
            #expect(outcome.status == 137)
            #expect(outcome.wasOutOfMemory)
            #expect(host.outOfMemoryCount == 1)
            // A process that joined is killed alone.
            let main = try host.start(.shell("echo ready; cat"), input: [], isEndless: true)
            let joined = try host.run(.init(["tail", "/dev/zero"]), number: 1)
            #expect(joined.wasOutOfMemory)
            #expect(joined.status == 137)
            #expect(host.outOfMemoryCount == 2)
            #expect(try host.ask(.signal(process: 0, signal: 9)) == .done)
            // The kill was another's, a moment ago.
            #expect(try host.finish(main).status == 137)
            let last = try host.run("true")
            #expect(last == .init(status: 0, output: ""))
        }

        @Test("a container that takes all processes cannot keep the agent from ending it")
        func forkBomb() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            var sandbox = image.sandbox
            sandbox.processLimit = 200
            try host.setUp(sandbox)
            let main = try host.start(.shell("bomb() { bomb | bomb & }; bomb; echo ready; sleep 1000"))
            try host.wait("ready") { main.main.text == "ready\n" }
            guard case .statistics(let statistics) = try host.ask(.statistics) else { return #expect(Bool(false), "no figures") }
            #expect(statistics.processes <= 201)
            #expect(try host.ask(.signal(process: 0, signal: 9)) == .done)
            #expect(try host.finish(main).status == 137)
            #expect(try host.run("echo $$") == .init(status: 0, output: "1\n"))
        }

        @Test("fifty processes in a row leave nothing behind")
        func manyInARow() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            // Open files and threads of the whole machine.
            func count(_ number: UInt32) throws -> (files: Int, threads: Int) {
                let script = "cut -f 1 /proc/sys/fs/file-nr; cut -d ' ' -f 4 /proc/loadavg | cut -d / -f 2"
                let words = try host.run(script, number: number).output.split(separator: "\n")
                try #require(words.count == 2)
                return (Int(words[0]) ?? 0, Int(words[1]) ?? 0)
            }
            let main = try host.start(.shell("sleep 10000"))
            let before = try count(9)
            for number in 0..<50 as Range<UInt32> {
                #expect(try host.run(.init(["true"]), number: 10 + number).status == 0)
            }
            var terminal = ProcessConfiguration(["true"])
            terminal.terminal = .init(columns: 80, rows: 24)
            for number in 0..<10 as Range<UInt32> { #expect(try host.run(terminal, number: 100 + number).status == 0) }
            for number in 0..<10 as Range<UInt32> { _ = try host.failure(.init(["nosuch"]), number: 200 + number) }
            let after = try count(9)
            // The kernel counts files a few at a time, and makes threads of its own.
            #expect(abs(after.files - before.files) < 40, "\(before) \(after)")
            #expect(after.threads - before.threads < 6, "\(before) \(after)")
            #expect(try host.ask(.signal(process: 0, signal: 9)) == .done)
            _ = try host.finish(main)
            for _ in 0..<20 { #expect(try host.run(.init(["true"])).status == 0) }
            let last = try count(0)
            #expect(abs(last.files - before.files) < 40, "\(before) \(last)")
            #expect(last.threads - before.threads < 6, "\(before) \(last)")
        }
    }
}
