import AgentProtocol
@testable import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Testing
import TestSupport

@Suite("Restart policies", .timeLimit(.minutes(2)))
struct RestartTests {
    /// One run of the container from the machine's start to its being gone.
    private func runOnce(_ bench: Bench, status: UInt8, seconds: UInt64 = 0) throws {
        let (agent, process) = try bench.run()
        bench.advance(seconds: seconds)
        try agent.endMain(status, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        #expect(try agent.expectShutDown())
        #expect(try bench.machine.next() == .end)
        try bench.settle()
    }

    @Test("always means after every end, each time later, and counts; stop ends it while it waits")
    func always() throws {
        let bench = try Bench { $0.restart = .always }
        let waiter = try bench.connect()
        try waiter.send(.wait)
        for (index, delay) in ([100, 200, 400, 800] as [UInt64]).enumerated() {
            try runOnce(bench, status: 0)
            #expect(try bench.status().state == .starting)
            bench.advance(milliseconds: delay - 1)
            #expect(!bench.machine.hasRequests)
            bench.advance(milliseconds: 1)
            #expect(try bench.machine.next() == .start)
            #expect(bench.onLoop { $0.status.restartCount } == UInt32(index + 1))
        }
        try runOnce(bench, status: 5)
        #expect(waiter.isSilent)
        let client = try bench.connect()
        try client.send(.stop(timeout: nil))
        #expect(try bench.machine.next() == .finish(5))
        #expect(try client.next() == .exited(status: 5, wasOutOfMemory: false))
        #expect(try waiter.next() == .exited(status: 5, wasOutOfMemory: false))
        #expect(bench.eventNames() == ["start", "die", "restart", "start", "die", "restart", "start", "die", "restart", "start", "die", "restart",
                                       "start", "die", "stop"])
    }

    @Test("a container that has run for ten seconds starts again as soon as the first time")
    func reset() throws {
        var state = RestartState(.always)
        let good = ContainerMonitor.RunEnd(end: ProcessEnd(status: 1))
        var delays: [UInt64] = []
        for index in 0..<14 {
            state.startTime = 0
            state.decide(good, isStopped: false, now: index == 11 ? 10_000_000_000 : 9_999_999_999)
            #expect(state.isDue)
            delays.append(state.delay / 1_000_000)
            state.begin()
        }
        #expect(delays == [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 100, 200, 400])
    }

    @Test("on failure means after a status that is not 0, so many times")
    func onFailure() throws {
        let bench = try Bench { $0.restart = .onFailure(maximum: 1) }
        try runOnce(bench, status: 1)
        bench.advance(seconds: 1)
        #expect(try bench.machine.next() == .start)
        try runOnce(bench, status: 1)
        #expect(try bench.machine.next() == .finish(1))

        let other = try Bench { $0.restart = .onFailure(maximum: nil) }
        try runOnce(other, status: 0)
        #expect(try other.machine.next() == .finish(0))
    }

    @Test("a container that was stopped, or killed by rights, is not started again", arguments: [true, false])
    func stopped(isKill: Bool) throws {
        let bench = try Bench { $0.restart = .unlessStopped }
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        if isKill {
            try client.send(.signal(9))
            #expect(try agent.expectSignal() == [0, 9])
            #expect(try client.next() == .done)
        } else {
            try client.send(.stop(timeout: nil))
            #expect(try bench.machine.next() == .powerButton)
        }
        try agent.endMain(137, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(137))
    }

    @Test("a stop while the next machine is being built is not forgotten")
    func stopWhileBuilding() throws {
        let bench = try Bench { $0.restart = .always }
        try runOnce(bench, status: 2)
        bench.advanceWhenIdle(seconds: 1)
        #expect(try bench.machine.next() == .start)
        let client = try bench.connect()
        try client.send(.stop(timeout: nil))
        try bench.settle()
        #expect(!bench.machine.hasRequests)
        bench.onLoop { $0.machineHasStarted() }
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(143))
        #expect(try client.next() == .exited(status: 143, wasOutOfMemory: false))
    }

    @Test("other signals do not end the policy")
    func otherSignals() throws {
        let bench = try Bench { $0.restart = .always }
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        try client.send(.signal(10))
        #expect(try agent.expectSignal() == [0, 10])
        #expect(try client.next() == .done)
        try agent.endMain(138, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        bench.advanceWhenIdle(seconds: 1)
        #expect(try bench.machine.next() == .start)
    }

    @Test("what cannot be started the first time is not tried again; a crash of the machine is an end like others")
    func failures() throws {
        let bench = try Bench { $0.restart = .always }
        let agent = try bench.boot()
        _ = try agent.expectSetUp()
        _ = try agent.expectStart(.failed(AgentFailure(.commandNotFound, "no")))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(127))

        let other = try Bench { $0.restart = .always }
        _ = try other.run()
        other.onLoop { $0.machineHasEnded(.crashed("the guest's kernel panicked")) }
        #expect(try other.machine.next() == .end)
        other.advanceWhenIdle(seconds: 1)
        #expect(try other.machine.next() == .start)
        // The next one does not boot: that is no reason to give up.
        other.onLoop {
            $0.machineHasStarted()
            $0.machineHasEnded(.crashed("the guest's kernel panicked"))
        }
        #expect(try other.machine.next() == .end)
        other.advanceWhenIdle(seconds: 1)
        #expect(try other.machine.next() == .start)
        _ = try other.run()
        try other.settle()
        #expect(try other.status().restartCount == 2 && other.status().failure.isEmpty)
    }

    @Test("an attached client sees its process's end; one that attaches meanwhile sees the next")
    func clients() throws {
        let bench = try Bench { $0.restart = .always }
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        #expect(try client.ask(.attach([.output])) == .started)
        try agent.endMain(1, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        #expect(try client.next() == .exited(status: 1, wasOutOfMemory: false))
        try client.send(.attach([.output]))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        bench.advanceWhenIdle(seconds: 1)
        #expect(try bench.machine.next() == .start)
        let (second, again) = try bench.run()
        #expect(try client.next() == .started)
        // The old machine's streams are worth nothing in the new one.
        #expect(try second.stream(process.streams.input).readToEnd() == [])
        try second.stream(again.streams.input).send([3])
        #expect(try client.next() == .output([3]))
    }
}
