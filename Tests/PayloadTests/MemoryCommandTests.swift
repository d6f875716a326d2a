import Glibc
import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("tells of its memory and sets it", .needsKVM)
    struct MemoryCommandTests {
        private let directory = TemporaryDirectory()

        private func machine(_ options: [String] = []) throws -> ChildProcess {
            let machine = try Svmm.start("power", "power.mode=spin", ["--memory", "64M", "--state", state] + options)
            try machine.output.wait(for: "power: spinning")
            return machine
        }

        private var state: String { directory.path("vm") }

        private func command(_ arguments: [String]) throws -> (end: ProcessEnd, output: String, errors: String) {
            let process = try ChildProcess([Svmm.path] + arguments)
            let end = try process.waitForEnd()
            return (end, String(decoding: try process.output.waitForEnd(), as: UTF8.self),
                    String(decoding: try process.errors.waitForEnd(), as: UTF8.self))
        }

        @Test("a guest without a driver: its size, what of it is in memory, and the balloon's target")
        func statistics() throws {
            let machine = try machine()
            let before = try command(["stats", state])
            #expect(before.end == .exited(0))
            let lines = before.output.split(separator: "\n")
            #expect(lines.first == "memory: 67108864")
            let resident = try #require(lines.dropFirst().first.flatMap { Int($0.dropFirst("resident: ".count)) })
            #expect((1 << 20...64 << 20).contains(resident))
            #expect(lines.map { $0.prefix { $0 != ":" } } == [
                "memory", "resident", "private_bytes", "cpu_time_ns", "uptime_ns", "pid", "paused", "balloon_target", "balloon",
            ])
            #expect(lines.suffix(4) == ["pid: \(machine.identifier)", "paused: 0", "balloon_target: 0", "balloon: 0"])
            #expect(try command(["balloon", state, "40M"]).end == .exited(0))
            let json = try command(["stats", state, "--json"]).output
            #expect(json.hasPrefix(#"{"memory": 67108864, "resident": "#))
            #expect(json.hasSuffix(#", "balloon_target": 25165824, "balloon": 0}"# + "\n"), "\(json)")
            machine.signal(SIGKILL)
            try machine.waitForEnd()
        }

        @Test("more memory than the machine has, and a machine without a balloon, are refused")
        func refused() throws {
            let machine = try machine(["--balloon", "off"])
            let off = try command(["balloon", state, "40M"])
            #expect(off.end == .exited(1))
            #expect(off.errors == "svmm: \(state): the machine has no balloon, expected one by --balloon on\n")
            #expect(try command(["stats", state]).output.split(separator: "\n").count == 7)
            machine.signal(SIGKILL)
            try machine.waitForEnd()
            let other = try self.machine()
            let much = try command(["balloon", state, "65M"])
            #expect(much.errors == "svmm: \(state): 65 MiB for the guest to keep: it has 64 MiB, expected at most that\n")
            #expect(try command(["balloon", state, "0"]).end == .exited(2))
            other.signal(SIGKILL)
            try other.waitForEnd()
        }
    }
}
