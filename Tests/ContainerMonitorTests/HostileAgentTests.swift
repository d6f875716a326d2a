import AgentProtocol
@testable import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Testing
import TestSupport
import Wire

@Suite("A hostile guest", .timeLimit(.minutes(2)))
struct HostileAgentTests {
    private static let text = String(repeating: "x", count: 1000)

    @Test("ends its container with a reason, when its agent does not keep to the protocol", arguments: [
        ([0, 0, 0, 0], "message of 0 bytes"), ([255, 255, 255, 255], "message of 4294967295 bytes"), ([1, 0, 64, 0], "message of 4194305 bytes"),
        ([1, 0, 0, 0, 99], "no message"), ([2, 0, 0, 0, 4, 4], "no message"), ([3, 0, 0, 0, 3, 0, 0], "no message"),
        (AgentMessage.reply(request: 77, .done).frame, "answered request 77"),
        (AgentMessage.hello(version: 1, milliseconds: 0).frame, "hello twice"),
        (AgentMessage.exited(process: 5, status: 0, wasOutOfMemory: false).frame, "end of process 5"),
        (AgentMessage.exited(process: 0, status: 0, wasOutOfMemory: false).frame
            + AgentMessage.exited(process: 0, status: 0, wasOutOfMemory: false).frame, ""),
    ] as [([UInt8], String)])
    func protocolErrors(bytes: [UInt8], reason: String) throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        #expect(try client.ask(.attach([.output])) == .started)
        try agent.send(bytes)
        try bench.settle()
        if reason.isEmpty {
            // Ended as it should, before it said so again.
            for _ in 0..<11 { bench.advance(seconds: 1) }
            return #expect(try client.next() == .exited(status: 0, wasOutOfMemory: false))
        }
        guard case .failed(125, let text) = try client.next() else { return #expect(Bool(false)) }
        #expect(text.contains("broke the protocol") && text.contains(reason), "\(text)")
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(125))
        #expect(try bench.status().failure == text)
    }

    @Test("the end of a process that was not started, or an answer of another kind, is an offence, too")
    func wrongTime() throws {
        let bench = try Bench(hasClient: true)
        let agent = try bench.boot()
        _ = try agent.expectSetUp()
        try agent.send(.exited(process: 0, status: 0, wasOutOfMemory: false))
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(125))

        let other = try Bench()
        let (second, _) = try other.run()
        let client = try other.connect()
        try client.send(.statistics)
        let (number, _) = try second.next()
        try second.reply(number, .processes([]))
        guard case .failed(125, _) = try client.next() else { return #expect(Bool(false)) }
        #expect(try other.machine.next() == .end)
    }

    @Test("an agent of another version is refused")
    func version() throws {
        let bench = try Bench()
        bench.onLoop { $0.machineHasStarted() }
        let agent = try FakeAgent(bench.vsockPath)
        try agent.send(.hello(version: 99, milliseconds: 0))
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(125))
        #expect(try bench.status().failure.contains("version 99"))
    }

    @Test("an agent that goes away leaves time for its kernel's last words, not more")
    func goneAgent() throws {
        for saysWhy in [true, false] {
            let bench = try Bench()
            do { _ = try bench.run() }
            try bench.settle()
            #expect(!bench.machine.hasRequests)
            if saysWhy { bench.onLoop { $0.machineHasEnded(.crashed("the guest's kernel panicked")) } } else { bench.advance(seconds: 3) }
            #expect(try bench.machine.next() == .end)
            #expect(try bench.machine.next() == .finish(125))
            #expect(try bench.status().failure.contains(saysWhy ? "panicked" : "agent is gone"))
        }
    }

    @Test("other programs of the guest cannot take the agent's place, nor a process's streams")
    func impostors() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let impostor = try FakeAgent(bench.vsockPath)
        #expect(try impostor.readToEnd() == [])
        for name in [0, 1, process.streams.input &+ 1] { #expect(try agent.stream(name).readToEnd() == []) }
        let stream = try agent.stream(process.streams.input)
        // A name is worth something once.
        #expect(try agent.stream(process.streams.input).readToEnd() == [])
        let client = try bench.connect()
        #expect(try client.ask(.attach([.output])) == .started)
        try stream.send([1])
        #expect(try client.next() == .output([1]))
    }

    @Test("connections that do not say what they are for are not kept for ever, and names may come in pieces")
    func nameless() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        var idle: [Peer] = []
        for _ in 0..<100 { idle.append(Peer(try .connected(toUnixSocket: bench.vsockPath + "_1025"))) }
        #expect(try idle[0].readToEnd() == [])
        let slow = Peer(try .connected(toUnixSocket: bench.vsockPath + "_1025"))
        var encoder = WireEncoder()
        encoder.encode(process.streams.input)
        for byte in encoder.bytes {
            try slow.send([byte])
            try bench.settle()
        }
        let client = try bench.connect()
        #expect(try client.ask(.attach([.output])) == .started)
        try slow.send([1])
        #expect(try client.next() == .output([1]))
        _ = agent
    }

    @Test("an agent that says a lot fills no log, and one that does not answer costs nothing but the requests")
    func chatter() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        for _ in 0..<1000 { try agent.send(.note(Self.text + "\u{1B}[2J\nsvmm: forged")) }
        for count in 0...200 as ClosedRange<UInt32> { try agent.send(.outOfMemory(count: count % 3)) }
        try agent.send(.kernelLog(Array("[ 0.0] Linux\n".utf8)))
        try bench.settle()
        #expect(bench.machine.printed.withLock { $0 } == Array("[ 0.0] Linux\n".utf8))
        #expect(bench.eventNames() == ["start", "oom"])
        #expect(Text.line("a\u{1B}[2J\nb") == "a [2J b")
        var limit = NoteLimit()
        let said = (0..<1000).compactMap { _ in limit.take(Self.text) }
        #expect(said.count < 300 && said.last?.contains("too much") == true)
        // Each client's request waits for an answer that never comes; then nobody asks any more.
        let refused = bench.onLoop { monitor -> Bool in
            var isRefused = false
            for _ in 0...AgentConnection.maximumRequests { monitor.query(.statistics) { if case .failure = $0 { isRefused = true } } }
            return isRefused
        }
        #expect(refused)
    }

    @Test("streams that nobody reads are taken and dropped, and do not fill the monitor")
    func unwanted() throws {
        let bench = try Bench { $0.log.isKept = false }
        let (agent, process) = try bench.run()
        let output = try agent.stream(process.streams.input)
        let part = [UInt8](repeating: 1, count: 1 << 16)
        for _ in 0..<256 { try output.send(part) }
        try bench.settle()
        #expect(try bench.status().state == .running)
    }

    @Test("whatever an agent sends, the monitor survives it", arguments: 0..<40)
    func noise(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let stream = try agent.stream(process.streams.input)
        let messages: [AgentMessage] = [
            .hello(version: 1, milliseconds: 2), .reply(request: 3, .done), .exited(process: 0, status: 1, wasOutOfMemory: false), .stopping,
            .outOfMemory(count: 1), .note("hm"), .reply(request: 1, .processes([])), .reply(request: 2, .statistics(AgentStatistics())),
        ]
        for _ in 0..<10 {
            var frame = messages[Int(random.next() % UInt64(messages.count))].frame
            if random.next() % 2 == 0 {
                let index = Int(random.next() % UInt64(frame.count))
                frame[index] = UInt8(truncatingIfNeeded: random.next())
            }
            do { try agent.send(frame) } catch { break }
            do { try stream.send(frame) } catch { break }
        }
        // Whether the container lives on or has ended, its monitor answers.
        guard case .status = try bench.connect().ask(.status) else { return #expect(Bool(false), "seed \(seed)") }
    }
}
