import AgentProtocol
@testable import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Testing
import TestSupport

@Suite("Health checks", .timeLimit(.minutes(2)))
struct HealthTests {
    private func bench(startPeriod: UInt64 = 0) throws -> Bench {
        try Bench {
            $0.health = HealthCheck(command: ["check", "it"], interval: 5000, timeout: 1000, startPeriod: startPeriod, retries: 2)
            $0.process.terminal = ProcessConfiguration.TerminalSize(columns: 80, rows: 24)
            $0.process.hasInit = true
        }
    }

    /// A probe that says something and ends.
    private func probe(_ bench: Bench, _ agent: FakeAgent, status: UInt8, _ text: String = "") throws {
        bench.advance(seconds: 5)
        let (number, process) = try agent.expectExecute()
        #expect(process.arguments == ["check", "it"] && process.terminal == nil && !process.hasInit && !process.streams.hasInput)
        let (output, errors) = (try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        try output.send(Array(text.utf8))
        for stream in [output, errors] { try stream.endSending() }
        try agent.send(.exited(process: number, status: status, wasOutOfMemory: false))
        // Its streams are taken in turns of the loop.
        while bench.onLoop({ $0.health?.probes.last?.output }) != text { try bench.settle() }
    }

    @Test("turn from starting to healthy, unhealthy after so many failures, and back; each change is an event")
    func transitions() throws {
        let bench = try bench()
        let (agent, _) = try bench.run()
        try bench.settle()
        #expect(try bench.status().health == .starting)
        try probe(bench, agent, status: 0, "a")
        #expect(try bench.status().health == .healthy)
        try probe(bench, agent, status: 1, "b")
        var status = try bench.status()
        #expect(status.health == .healthy && status.failingStreak == 1)
        try probe(bench, agent, status: 1, "c")
        status = try bench.status()
        #expect(status.health == .unhealthy && status.failingStreak == 2)
        try probe(bench, agent, status: 0, "d")
        #expect(try bench.status().health == .healthy)
        for text in ["e", "f"] { try probe(bench, agent, status: 0, text) }
        status = try bench.status()
        #expect(status.probes.map(\.output) == ["b", "c", "d", "e", "f"] && status.probes.map(\.status) == [1, 1, 0, 0, 0])
        #expect(status.probes.allSatisfy { $0.start > 0 && $0.end >= $0.start })
        #expect(bench.eventNames() == ["start", "health_status", "health_status", "health_status"])
    }

    @Test("failures in the start period do not count, until the first success")
    func startPeriod() {
        var state = HealthState(HealthCheck(command: ["x"], startPeriod: 10_000, retries: 1), startTime: 100)
        func probe(_ status: UInt8) -> ContainerStatus.Probe { ContainerStatus.Probe(start: 1, end: 2, status: status, output: "") }
        var hasChanged = state.take(probe(1), now: 5_000_000_000)
        #expect(!hasChanged)
        #expect(state.health == .starting && state.failingStreak == 0)
        hasChanged = state.take(probe(1), now: 10_000_000_100)
        #expect(hasChanged)
        #expect(state.health == .unhealthy)
        state = HealthState(HealthCheck(command: ["x"], startPeriod: 10_000, retries: 0), startTime: 100)
        hasChanged = state.take(probe(0), now: 200)
        #expect(hasChanged)
        hasChanged = state.take(probe(1), now: 300)
        #expect(hasChanged)
        #expect(state.health == .unhealthy && state.failingStreak == 1)
    }

    @Test("one that takes too long is killed and has failed; the next waits until it is gone")
    func timeout() throws {
        let bench = try bench()
        let (agent, _) = try bench.run()
        try bench.settle()
        bench.advance(seconds: 5)
        let (number, process) = try agent.expectExecute()
        let (output, errors) = (try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        try output.send(Array("hm".utf8))
        while bench.onLoop({ $0.processes[number]?.takenCount }) != 2 { try bench.settle() }
        bench.advance(seconds: 1)
        #expect(try agent.expectSignal() == [number, 9])
        try bench.settle()
        #expect(try bench.status().probes.last?.output == "the probe took longer than 1000 ms\nhm")
        bench.advance(seconds: 5)
        #expect(agent.isSilent)
        #expect(try bench.status().health == .unhealthy)
        for stream in [output, errors] { try stream.endSending() }
        try agent.send(.exited(process: number, status: 137, wasOutOfMemory: false))
        while !bench.onLoop({ $0.processes.isEmpty }) { try bench.settle() }
        #expect(try bench.status().probes.count == 2)
        try probe(bench, agent, status: 0, "well")
    }

    @Test("one that cannot be run has failed, and says why")
    func cannotRun() throws {
        let bench = try bench()
        let (agent, _) = try bench.run()
        try bench.settle()
        bench.advance(seconds: 5)
        _ = try agent.expectExecute(.failed(AgentFailure(.commandNotFound, "check: not found")))
        while bench.onLoop({ $0.health?.probes.isEmpty ?? true }) { try bench.settle() }
        let probe = try bench.status().probes.first
        #expect(probe?.status == 127 && probe?.output == "check: not found")
    }

    @Test("only the beginning of what one says is kept")
    func output() {
        let output = ProbeOutput()
        for _ in 0..<100 { [UInt8](repeating: 65, count: 1000).withUnsafeBytes { output.take($0, .output) } }
        #expect(output.text == String(repeating: "A", count: 4096))
    }

    @Test("a paused container is not asked, and one that has ended neither")
    func paused() throws {
        let bench = try bench()
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        try client.send(.pause(true))
        _ = try agent.expect("freeze") { if case .freeze(true) = $0 { true } else { nil } }
        #expect(try client.next() == .done)
        bench.advance(seconds: 20)
        #expect(agent.isSilent)
        try client.send(.pause(false))
        _ = try agent.expect("freeze") { if case .freeze(false) = $0 { true } else { nil } }
        #expect(try client.next() == .done)
        try probe(bench, agent, status: 0, "yes")
        try client.send(.stop(timeout: nil))
        #expect(try bench.machine.next() == .powerButton)
        bench.advance(seconds: 6)
        #expect(agent.isSilent)
        let output = try agent.stream(process.streams.input)
        try agent.endMain(0, output)
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        bench.advance(seconds: 20)
        #expect(try bench.machine.next() == .finish(0))
    }
}
