import AgentProtocol
@testable import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Testing
import TestSupport

@Suite("Stopping a container", .timeLimit(.minutes(2)))
struct StopTests {
    /// The end of a container whose process has ended with a status.
    private func expectEnd(_ bench: Bench, _ agent: FakeAgent, _ process: ProcessConfiguration, status: UInt8) throws {
        try agent.endMain(status, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(Int32(status)))
    }

    @Test("presses the power button, and passes on the status of the process; who asked is told at once")
    func powerButton() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        try client.send(.stop(timeout: nil))
        #expect(try bench.machine.next() == .powerButton)
        try agent.send(.stopping)
        try agent.endMain(143, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        #expect(try client.next() == .exited(status: 143, wasOutOfMemory: false))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(143))
        #expect(try bench.status().wasStopped)
        #expect(bench.eventNames() == ["start", "kill", "die", "stop"])
    }

    @Test("waits for an agent that unmounts by itself after the power button: its refusal to shut down is not the end")
    func agentPowersOff() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        try client.send(.stop(timeout: nil))
        #expect(try bench.machine.next() == .powerButton)
        try agent.endMain(0, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        let (number, request) = try agent.next()
        #expect(request == .shutDown(syncs: true))
        try agent.reply(number, .failed(AgentFailure(.failed, "the container is being stopped")))
        // The loop has read this before it answers.
        #expect(try client.next() == .exited(status: 0, wasOutOfMemory: false))
        try bench.settle()
        #expect(!bench.machine.hasRequests)
        bench.onLoop { $0.machineHasEnded(.poweredOff) }
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(0))
    }

    @Test("with another timeout than the guest knows, the monitor sends the signals itself")
    func otherTimeout() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        try client.send(.stop(timeout: 3))
        #expect(try agent.expectSignal() == [0, 15])
        bench.advance(seconds: 3)
        #expect(try agent.expectSignal() == [0, 9])
        #expect(!bench.machine.hasRequests)
        try expectEnd(bench, agent, process, status: 137)
        #expect(try client.next() == .exited(status: 137, wasOutOfMemory: false))
    }

    @Test("with no time at all it is SIGKILL at once")
    func noTime() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        try client.send(.stop(timeout: 0))
        try bench.settle()
        #expect(client.isSilent)
        bench.advance()
        #expect(try agent.expectSignal() == [0, 9])
        try expectEnd(bench, agent, process, status: 137)
    }

    @Test("a guest that listens to nothing is killed with its machine")
    func deafGuest() throws {
        let bench = try Bench()
        bench.machine.hasPowerButton.store(false, ordering: .relaxed)
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        try client.send(.stop(timeout: nil))
        #expect(try bench.machine.next() == .powerButton)
        guard case (_, .signal(0, 15)) = try agent.next() else { return #expect(Bool(false)) }
        bench.advance(seconds: 10)
        guard case (_, .signal(0, 9)) = try agent.next() else { return #expect(Bool(false)) }
        bench.advance(seconds: 6)
        #expect(try bench.machine.next() == .end)
        #expect(try client.next() == .exited(status: 137, wasOutOfMemory: false))
        #expect(try bench.machine.next() == .finish(137))
    }

    @Test("a second stop with less time is what counts")
    func impatience() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let (first, second) = (try bench.connect(), try bench.connect())
        try first.send(.stop(timeout: nil))
        #expect(try bench.machine.next() == .powerButton)
        try second.send(.stop(timeout: 1))
        try bench.settle()
        #expect(second.isSilent)
        bench.advance(seconds: 1)
        guard case (_, .signal(0, 9)) = try agent.next() else { return #expect(Bool(false)) }
    }

    @Test("a second stop with more time postpones nothing")
    func patience() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let (first, second) = (try bench.connect(), try bench.connect())
        try first.send(.stop(timeout: nil))
        #expect(try bench.machine.next() == .powerButton)
        try second.send(.stop(timeout: 3600))
        try bench.settle()
        bench.advance(seconds: 12)
        guard case (_, .signal(0, 9)) = try agent.next() else { return #expect(Bool(false)) }
        bench.advance(seconds: 4)
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(137))
    }

    @Test("a guest that goes on sending after the end of its process is cut off when a stop is wanted")
    func dripping() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let output = try agent.stream(process.streams.input)
        try agent.send(.exited(process: 0, status: 2, wasOutOfMemory: false))
        let client = try bench.connect()
        try client.send(.stop(timeout: 1))
        try bench.settle()
        for _ in 0..<6 {
            try output.send([65])
            try bench.settle()
            bench.advance(seconds: 1)
        }
        #expect(client.isSilent)
        bench.advance(seconds: 1)
        #expect(try client.next() == .exited(status: 2, wasOutOfMemory: false))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(2))
    }

    @Test("SIGTERM to the monitor is a stop, a second one the end of the machine")
    func signals() throws {
        let bench = try Bench()
        let (_, _) = try bench.run()
        let client = try bench.connect()
        #expect(try client.ask(.attach([.output])) == .started)
        bench.onLoop { $0.take(Signal.terminate) }
        #expect(try bench.machine.next() == .powerButton)
        bench.onLoop { $0.take(Signal.terminate) }
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(137))
        #expect(try client.next() == .exited(status: 137, wasOutOfMemory: false))
    }

    @Test("before the process has started it is the end of the machine; the first client is told with 143")
    func duringBoot() throws {
        let bench = try Bench(hasClient: true)
        let first = try #require(bench.first)
        try first.send(.attach([.output]))
        bench.onLoop { $0.machineHasStarted() }
        let client = try bench.connect()
        try client.send(.stop(timeout: nil))
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(143))
        #expect(try client.next() == .exited(status: 143, wasOutOfMemory: false))
        guard case .failed(143, _) = try first.next() else { return #expect(Bool(false)) }
    }

    @Test("while the process is being started, it waits for that and is not lost")
    func duringStart() throws {
        let bench = try Bench()
        let agent = try bench.boot()
        _ = try agent.expectSetUp()
        let (number, request) = try agent.next()
        guard case .start = request else { return #expect(Bool(false)) }
        let client = try bench.connect()
        try client.send(.stop(timeout: nil))
        try bench.settle()
        #expect(client.isSilent)
        try agent.reply(number)
        #expect(try bench.machine.next() == .powerButton)
    }

    @Test("a paused container goes on first: the frozen take no signal")
    func paused() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        try client.send(.pause(true))
        #expect(try agent.expect("freeze") { if case .freeze(let isFrozen) = $0 { isFrozen } else { nil } })
        #expect(try client.next() == .done)
        #expect(try bench.status().state == .paused)
        try client.send(.stop(timeout: nil))
        #expect(try agent.expect("freeze") { if case .freeze(let isFrozen) = $0 { !isFrozen } else { nil } })
        #expect(try bench.machine.next() == .powerButton)
        #expect(bench.eventNames() == ["start", "pause", "kill"])
    }

    @Test("after the end a stop is answered at once")
    func afterTheEnd() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        #expect(try client.ask(.status) != nil)
        try agent.endMain(4, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        _ = try agent.next()
        #expect(try client.ask(.stop(timeout: nil)) == .exited(status: 4, wasOutOfMemory: false))
        #expect(try client.ask(.wait) == .exited(status: 4, wasOutOfMemory: false))
        guard case .failed(_, _) = try client.ask(.signal(15)) else { return #expect(Bool(false)) }
    }
}
