import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("stands still and goes on", .needsKVM)
    struct PauseTests {
        private let directory = TemporaryDirectory()
        private var state: String { directory.path("vm") }

        /// A guest that polls its power button.
        private func machine(_ options: [String] = []) throws -> ChildProcess {
            let machine = try Svmm.start("power", "power.mode=button", ["--state", state, "--grace", "60"] + options)
            try machine.output.wait(for: "power: waiting")
            return machine
        }

        @discardableResult
        private func command(_ words: String...) throws -> (end: ProcessEnd, errors: String) {
            let process = try ChildProcess([Svmm.path] + words)
            let end = try process.waitForEnd()
            return (end, String(decoding: try process.errors.waitForEnd(), as: UTF8.self))
        }

        /// Nanoseconds that the threads of the vCPUs have run: /proc/PID/task/TID/schedstat.
        private func processorTime(_ machine: ChildProcess) throws -> UInt64 {
            let tasks = "/proc/\(machine.identifier)/task"
            return try names(inDirectory: tasks).reduce(0 as UInt64) { sum, task in
                func text(_ name: String) -> String {
                    String(decoding: contents(ofSmallFile: "\(tasks)/\(task)/\(name)") ?? [], as: UTF8.self)
                }
                guard text("comm").hasPrefix("vcpu-") else { return sum }
                return sum + (text("schedstat").split(separator: " ").first.flatMap { UInt64($0) } ?? 0)
            }
        }

        private func waitUntilItRuns(_ machine: ChildProcess) throws {
            let before = try processorTime(machine)
            let deadline = Clock.monotonicNanoseconds() + 60_000_000_000
            // The guest's own work is the event.
            while try processorTime(machine) < before + 5_000_000 {
                try #require(Clock.monotonicNanoseconds() < deadline, "the guest does not run")
            }
        }

        @Test("a paused guest executes nothing, a resumed one goes on where it stood", arguments: ["1", "4"])
        func pauseAndResume(processors: String) throws {
            let machine = try machine(["--cpus", processors])
            for _ in 0..<20 {
                try waitUntilItRuns(machine)
                #expect(try command("pause", state).end == .exited(0))
                let stopped = try processorTime(machine)
                // Its control socket is served all the same.
                #expect(try command("stats", state).end == .exited(0))
                // What a thread takes to fall asleep; a guest that ran would take many times that.
                #expect(try processorTime(machine) < stopped + 1_000_000)
                #expect(try command("resume", state).end == .exited(0))
            }
            machine.signal(SIGTERM)
            let finished = try Finished(machine)
            #expect(finished.end == .exited(0))
            #expect(finished.lines.suffix(2) == ["power: button", "power: off"])
        }

        @Test("a paused guest that is to shut down hears of it; one that is to be killed is", arguments: [
            (SIGTERM, 0), (SIGINT, 0), (SIGQUIT, 128 + SIGQUIT),
        ] as [(Int32, Int32)])
        func ends(signal: Int32, status: Int32) throws {
            let machine = try machine()
            #expect(try command("pause", state).end == .exited(0))
            machine.signal(signal)
            #expect(try Finished(machine).end == .exited(status))
        }

        @Test("what makes no sense is refused in one line")
        func refused() throws {
            let machine = try machine()
            let early = try command("resume", state)
            #expect(early.end == .exited(1))
            #expect(early.errors == "svmm: \(state): it is not paused, expected a machine that svmm pause has stopped\n")
            #expect(try command("pause", state).end == .exited(0))
            let twice = try command("pause", state)
            #expect(twice.end == .exited(1))
            #expect(twice.errors == "svmm: \(state): it is paused already; svmm resume lets it go on\n")
            machine.signal(SIGKILL)
            try machine.waitForEnd()
            #expect(try command("resume", state).end == .exited(1))
        }
    }
}
