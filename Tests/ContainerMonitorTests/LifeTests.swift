import AgentProtocol
@testable import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Testing
import TestSupport

@Suite("A container's life", .timeLimit(.minutes(2)))
struct LifeTests {
    @Test("runs from hello to the end: set up, started, written down, shut down")
    func wholeLife() throws {
        let bench = try Bench()
        #expect(try bench.status().state == .starting)
        let (agent, process) = try bench.run()
        #expect(process.arguments == ["sh", "-c", "true"])
        #expect(process.streams.input != 0 && process.streams.errors != 0 && process.streams.input != process.streams.errors)
        #expect(!process.streams.hasInput)
        let (output, errors) = (try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        try output.send(Array("hello\n".utf8))
        try agent.endMain(7, output, errors)
        #expect(try agent.expectShutDown())
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(7))
        let status = try bench.status()
        #expect(status.exitStatus == 7 && status.startTime > 0 && status.endTime > 0 && !status.wasStopped)
        #expect(bench.onLoop { $0.conclude() } == [])
        #expect(try bench.status().state == .exited)
        #expect(bench.eventNames() == ["start", "die"])
        let line = String(decoding: try #require(bench.directory.contents(ContainerFiles.log)), as: UTF8.self)
        #expect(JSON(line.dropLast())?["log"]?.text == "hello\n")
        for name in ["vsock.sock_1024", "vsock.sock_1025", "container.sock"] { #expect(bench.directory.contents(name) == nil) }
    }

    @Test("the first client's attach is what the process waits for; it sees all of the output and then the status")
    func firstClient() throws {
        let bench = try Bench(hasClient: true)
        let client = try #require(bench.first)
        let agent = try bench.boot()
        _ = try agent.expectSetUp()
        try client.send(.attach([.output, .errors]))
        let process = try agent.expectStart()
        #expect(try client.next() == .started)
        let (output, errors) = (try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        try output.send(Array("out".utf8))
        try errors.send(Array("err".utf8))
        try agent.endMain(0, output, errors)
        let seen = try client.readOutput()
        #expect(seen.output == Array("out".utf8) && seen.errors == Array("err".utf8))
        #expect(seen.end == .exited(status: 0, wasOutOfMemory: false))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(0))
        bench.onLoop { _ = $0.conclude() }
        #expect(try client.next() == nil)
    }

    @Test("a first client that only wants to know of the start is told, also before the machine is up")
    func detached() throws {
        let bench = try Bench(hasClient: true)
        let client = try #require(bench.first)
        try client.send(.detach)
        let (_, _) = try bench.run()
        #expect(try client.next() == .started)
        #expect(bench.eventNames() == ["start"])
    }

    @Test("a first client that is gone before it said a word leaves a container that runs for itself")
    func firstClientGone() throws {
        let bench = try Bench(hasClient: true)
        let agent = try bench.boot()
        _ = try agent.expectSetUp()
        bench.dropFirst()
        _ = try agent.expectStart()
    }

    @Test("what cannot be started is told with the status that fits", arguments: [
        (AgentFailure(.commandNotFound, "sh: no such program"), 127), (AgentFailure(.commandNotExecutable, "sh: is a directory"), 126),
        (AgentFailure(.failed, "no memory"), 125),
    ] as [(AgentFailure, UInt8)])
    func cannotStart(failure: AgentFailure, status: UInt8) throws {
        let bench = try Bench(hasClient: true)
        let client = try #require(bench.first)
        try client.send(.attach([.output]))
        let agent = try bench.boot()
        _ = try agent.expectSetUp()
        _ = try agent.expectStart(.failed(failure))
        #expect(try client.next() == .failed(status: status, failure.text))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(Int32(status)))
        bench.onLoop { _ = $0.conclude() }
        let found = try bench.status()
        #expect(found.state == .exited && found.exitStatus == status && found.failure == failure.text)
        #expect(bench.eventNames() == [])
    }

    @Test("a machine that crashes while it boots, and one whose agent is silent, are the container's failure", arguments: [true, false])
    func noHello(crashes: Bool) throws {
        let bench = try Bench(hasClient: true)
        let client = try #require(bench.first)
        try client.send(.detach)
        bench.onLoop { $0.machineHasStarted() }
        if crashes { bench.onLoop { $0.machineHasEnded(.crashed("the guest's kernel panicked")) } } else { bench.advance(seconds: 121) }
        guard case .failed(125, let text) = try client.next() else { return #expect(Bool(false)) }
        #expect(text.contains(crashes ? "crashed: the guest's kernel panicked" : "did not say hello"))
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(125))
        #expect(try bench.status().failure == text)
    }

    @Test("an agent that does not answer is not waited for without end", arguments: [false, true])
    func noAnswer(isSetUp: Bool) throws {
        let bench = try Bench(hasClient: true)
        let client = try #require(bench.first)
        try client.send(.attach([.output]))
        let agent = try bench.boot()
        let setUp = try agent.ignoreRequests()
        bench.advance(seconds: 119)
        if isSetUp {
            // The second step has a time of its own.
            try agent.reply(setUp)
            while !bench.onLoop({ $0.isSetUp }) {}
            bench.advance(seconds: 119)
        }
        try bench.settle()
        #expect(try bench.status().state == .starting)
        bench.advance(seconds: 2)
        guard case .failed(125, let text) = try client.next() else { return #expect(Bool(false), "the client is not told") }
        #expect(text.contains(isSetUp ? "did not start the container's process" : "did not set the container up"), "\(text)")
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(125))
    }

    @Test("a machine that cannot be built is told to the client")
    func notBuilt() throws {
        let bench = try Bench(hasClient: true)
        let client = try #require(bench.first)
        try client.send(.attach([]))
        // Of the container's own connection, so that what was sent has been read.
        try bench.settle()
        bench.onLoop {
            $0.machineHasFailed("--memory: too much")
            _ = $0.conclude()
        }
        #expect(try client.next() == .failed(status: 125, "--memory: too much"))
        #expect(try client.next() == nil)
        #expect(try bench.status().failure == "--memory: too much")
    }

    @Test("a crash while the process runs ends it with 125 and the reason; what it wrote before is not lost")
    func crash() throws {
        let bench = try Bench()
        bench.machine.goesAtOnce.store(false, ordering: .relaxed)
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        #expect(try client.ask(.attach([.output])) == .started)
        do {
            let output = try agent.stream(process.streams.input)
            try output.send(Array("last words".utf8))
            bench.onLoop { $0.machineHasEnded(.crashed("the guest crashed: triple fault")) }
            #expect(try bench.machine.next() == .end)
        }
        bench.onLoop { $0.machineIsGone() }
        let seen = try client.readOutput()
        #expect(seen.output == Array("last words".utf8))
        #expect(seen.end == .failed(status: 125, "the virtual machine crashed: the guest crashed: triple fault"))
        #expect(try bench.machine.next() == .finish(125))
    }

    @Test("the end that the agent reports counts, also when its machine is gone before that was read")
    func endInFlight() throws {
        let bench = try Bench()
        bench.machine.goesAtOnce.store(false, ordering: .relaxed)
        let (agent, process) = try bench.run()
        bench.onLoop { monitor in
            // Unread, as the loop does this here.
            #expect(throws: Never.self) {
                let (output, errors) = (try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
                try agent.endMain(3, output, errors)
            }
            monitor.machineHasEnded(.poweredOff)
            monitor.machineIsGone()
        }
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(3))
    }

    @Test("the cleaning program is wanted unless a connected client has promised to clean up", arguments: [false, true])
    func cleanup(isPromised: Bool) throws {
        let bench = try Bench { $0.cleanup = ["/bin/svmm", "cleanup"] }
        let client = try bench.connect()
        if isPromised { try client.send(.promiseCleanup) }
        #expect(try client.ask(.status) != nil)
        let (agent, process) = try bench.run()
        let (output, errors) = (try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        try agent.endMain(0, output, errors)
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(0))
        #expect(bench.onLoop { $0.conclude() } == (isPromised ? [] : ["/bin/svmm", "cleanup"]))
        #expect(try client.next() == nil)
    }

    @Test("what is removed at its end need not be unmounted, unless others see what it wrote", arguments: [true, false])
    func removed(hasShare: Bool) throws {
        let bench = try Bench {
            $0.isRemovedAtEnd = true
            $0.sandbox.mounts = [SandboxConfiguration.Mount(.temporary(size: 0, mode: 0o755), at: "/tmp")]
            if hasShare { $0.sandbox.mounts.append(SandboxConfiguration.Mount(.share(tag: "t", name: "n"), at: "/data")) }
        }
        let (agent, process) = try bench.run()
        try agent.endMain(0, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        if hasShare { #expect(try agent.expectShutDown()) }
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(0))
    }
}
