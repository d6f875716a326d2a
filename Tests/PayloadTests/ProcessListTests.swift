import Glibc
import LinuxSystem
import ProcessSupport
import Testing

extension SvmmBoot {
    @Suite("is listed by svmm ps", .needsKVM)
    struct ProcessListTests {
        /// Nobody else's: the list is of all machines that this user runs.
        private let name = "test-\(CurrentProcess.identifier)-\(UInt32.random(in: 0 ... .max))"

        private func run(_ words: String...) throws -> Finished {
            let finished = try Finished(ChildProcess([Svmm.path] + words))
            #expect(finished.end == .exited(0), "\(words): \(finished.errors)")
            return finished
        }

        /// A guest that polls its power button.
        private func machine() throws -> ChildProcess {
            let machine = try Svmm.start("power", "power.mode=button", ["--name", name, "--memory", "64M", "--grace", "60"])
            try machine.output.wait(for: "power: waiting")
            return machine
        }

        /// What the list has of the machine; nil where it has none of this name.
        private func fields() throws -> [String: String]? {
            let lines = try run("ps", "--format", "json").lines
            guard let line = lines.first(where: { $0.hasPrefix("  {\"name\": \"\(name)\", ") }) else { return nil }
            // Neither names nor values have quotes, commas or colons in them.
            let words = line.split { " {}\",:".contains($0) }.map(String.init)
            try #require(words.count % 2 == 0, "\(line)")
            return Dictionary(uniqueKeysWithValues: stride(from: 0, to: words.count, by: 2).map { (words[$0], words[$0 + 1]) })
        }

        @Test("while it runs and while it is paused, with its figures, and no longer when it has ended")
        func life() throws {
            let machine = try machine()
            let running = try #require(try fields())
            #expect(running["kind"] == "machine" && running["state"] == "running", "\(running)")
            #expect(running["pid"] == "\(machine.identifier)" && running["memory"] == "67108864", "\(running)")
            for name in ["resident", "private_bytes"] {
                let bytes = try #require(running[name].flatMap { Int($0) }, "\(running)")
                #expect((64 << 10...128 << 20).contains(bytes), "\(running)")
            }
            let spent = try #require(running["cpu_time_ns"].flatMap { UInt64($0) })
            #expect(spent > 0)
            #expect(try run("ps", "-q").lines.contains(name))
            #expect(try run("ps").lines.contains { $0.hasPrefix(name + "  ") && $0.contains("  running  ") })

            _ = try run("pause", name)
            let paused = try #require(try fields())
            #expect(paused["state"] == "paused")
            #expect(paused["cpu_time_ns"].flatMap { UInt64($0) } ?? 0 >= spent)
            let (before, after) = (running["uptime_ns"].flatMap { UInt64($0) }, paused["uptime_ns"].flatMap { UInt64($0) })
            #expect(try #require(before) <= #require(after))
            _ = try run("resume", name)
            #expect(try fields()?["state"] == "running")

            machine.signal(SIGTERM)
            try machine.waitForEnd()
            #expect(try fields() == nil)
            #expect(try !run("ps", "-q").lines.contains(name))
        }

        @Test("as unresponsive where its monitor does not answer, and not at all once that was killed")
        func unresponsive() throws {
            let machine = try machine()
            machine.signal(SIGSTOP)
            try waitUntil("the monitor is stopped") {
                let text = String(decoding: contents(ofSmallFile: "/proc/\(machine.identifier)/stat") ?? [], as: UTF8.self)
                return text.split(separator: ")").last?.hasPrefix(" T ") == true
            }
            let stopped = try #require(try fields())
            #expect(stopped["state"] == "unresponsive" && stopped["pid"] == "\(machine.identifier)", "\(stopped)")
            #expect(stopped["memory"] == "null" && stopped["uptime_ns"] == "null", "\(stopped)")
            machine.signal(SIGKILL)
            try machine.waitForEnd()
            // Its socket is there for whoever comes next.
            #expect(try fields() == nil)
            // A machine of the same name takes the leftovers over, and removes them.
            let next = try self.machine()
            next.signal(SIGTERM)
            try next.waitForEnd()
        }
    }
}
