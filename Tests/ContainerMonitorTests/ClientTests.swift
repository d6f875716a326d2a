import AgentProtocol
@testable import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Testing
import TestSupport
import Wire

@Suite("Clients of a monitor", .timeLimit(.minutes(2)))
struct ClientTests {
    @Test("figures are the agent's, with what the host sees")
    func figures() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        var statistics = AgentStatistics()
        statistics.cpu = 12
        try client.send(.statistics)
        _ = try agent.expect("statistics", .statistics(statistics)) { if case .statistics = $0 { true } else { nil } }
        #expect(try client.next() == .statistics(statistics, residentBytes: 4321))
        let entry = ProcessEntry(identifier: 1, parent: 0, user: 5, cpu: 1, elapsed: 2, resident: 3, state: 83, command: "sh")
        try client.send(.processes)
        _ = try agent.expect("processes", .processes([entry])) { if case .processes = $0 { true } else { nil } }
        #expect(try client.next() == .processes([entry]))
        let path = PathStatus(mode: 0o100644, size: 9, target: "")
        try client.send(.pathStatus("/etc/passwd"))
        _ = try agent.expect("status", .status(path)) { if case .status("/etc/passwd") = $0 { true } else { nil } }
        #expect(try client.next() == .pathStatus(path))
    }

    @Test("an agent that does not answer keeps no client for ever, and may still answer late")
    func late() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        try client.send(.statistics)
        let (number, _) = try agent.next()
        bench.advance(seconds: 30)
        guard case .failed(125, let text) = try client.next() else { return #expect(Bool(false)) }
        #expect(text.contains("did not answer"))
        try agent.reply(number, .statistics(AgentStatistics()))
        try client.send(.processes)
        _ = try agent.expect("processes", .processes([])) { if case .processes = $0 { true } else { nil } }
        #expect(try client.next() == .processes([]))
        bench.advance(seconds: 60)
        #expect(client.isSilent)
    }

    @Test("a client that asks on and on and reads nothing has to wait")
    func flood() throws {
        let bench = try Bench()
        let (_, _) = try bench.run()
        let client = Peer(try .connected(toUnixSocket: bench.socket))
        try client.setNonBlocking()
        let requests = [[UInt8]](repeating: ClientMessage.status.frame, count: 5000).flatMap { $0 }
        var (sent, rest, idleTurns) = (0, requests[...], 0)
        while idleTurns < 3, sent < 16 << 20 {
            let count = try client.sendSome(Array(rest))
            idleTurns = count == 0 ? idleTurns + 1 : 0
            sent += count
            rest = rest.dropFirst(count)
            if rest.isEmpty { rest = requests[...] }
            try bench.settle()
        }
        #expect(sent < 16 << 20)
    }

    @Test("a rename is for later events; the status is the monitor's own")
    func rename() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let client = try bench.connect()
        #expect(try client.ask(.rename("other")) == .done)
        guard case .status(let status) = try client.ask(.status) else { return #expect(Bool(false)) }
        #expect(status.state == .running && status.processIdentifier == CurrentProcess.identifier)
        try agent.endMain(0, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        _ = try agent.expectShutDown()
        let last = String(decoding: bench.directory.contents("events") ?? [], as: UTF8.self).split(separator: "\n").last
        #expect(JSON(last ?? "")?["name"]?.text == "other")
    }

    @Test("everybody who waits is told of the end, and finds the connection closed only when all is over")
    func waiting() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let clients = try (0..<5).map { _ in try bench.connect() }
        for client in clients { try client.send(.wait) }
        // For no session.
        try clients[0].send(.signal(9))
        try clients[1].send(.input([1]))
        try bench.settle()
        #expect(agent.isSilent)
        try agent.endMain(9, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        for client in clients { #expect(try client.next() == .exited(status: 9, wasOutOfMemory: false)) }
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(9))
        #expect(clients.allSatisfy { $0.isSilent })
        bench.onLoop { _ = $0.conclude() }
        for client in clients { #expect(try client.next() == nil) }
    }

    @Test("what is no message is answered by a reason and the end", arguments: [
        [0, 0, 0, 0], [255, 255, 255, 255], [1, 0, 0, 0, 99], [3, 0, 0, 0, 1, 1, 1], [5, 0, 0, 0, 4, 255, 255, 255, 255],
    ] as [[UInt8]])
    func nonsense(bytes: [UInt8]) throws {
        let bench = try Bench()
        let client = try bench.connect()
        try client.send(bytes + ClientMessage.status.frame)
        guard case .failed(125, _) = try client.next() else { return #expect(Bool(false)) }
        #expect(try client.next() == nil)
        try bench.settle()
    }

    @Test("a request while another is under way ends the connection, and nothing else")
    func twoRequests() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        #expect(try client.ask(.attach([.output])) == .started)
        guard case .failed(125, _) = try client.ask(.attach([.output])) else { return #expect(Bool(false)) }
        #expect(try client.next() == nil)
        // One after the other is fine, also when they come in one piece, or byte by byte.
        let other = try bench.connect()
        let frames = ClientMessage.processes.frame + ClientMessage.rename("x").frame + ClientMessage.status.frame
        for byte in frames { try other.send([byte]) }
        _ = try agent.expect("processes", .processes([])) { if case .processes = $0 { true } else { nil } }
        #expect(try other.next() == .processes([]))
        #expect(try other.next() == .done)
        guard case .status = try other.next() else { return #expect(Bool(false)) }
    }

    @Test("requests that need a process are refused when there is none, before and after")
    func noProcess() throws {
        let bench = try Bench(hasClient: true)
        let client = try bench.connect()
        let requests: [ClientMessage] = [.signal(1), .pause(true), .statistics, .processes, .archive(path: "/"), .extract(path: "/"),
                                         .pathStatus("/"), .execute(ProcessConfiguration(arguments: ["sh"]), [.output])]
        func expectRefusals() throws {
            for request in requests {
                guard case .failed(125, _) = try client.ask(request) else { return #expect(Bool(false), "\(request)") }
            }
        }
        try expectRefusals()
        let agent = try bench.boot()
        _ = try agent.expectSetUp()
        bench.onLoop { $0.take(Signal.quit) }
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(137))
        try expectRefusals()
        guard case .failed = try client.ask(.attach([])) else { return #expect(Bool(false)) }
    }

    @Test("so many clients at a time: one that wants nothing makes room, those that do stay")
    func limit() throws {
        let bench = try Bench()
        let idle = try bench.connect()
        #expect(try idle.ask(.status) != nil)
        var waiting: [FakeClient] = []
        for _ in 1..<ContainerMonitor.maximumClients {
            let client = try bench.connect()
            try client.send(.wait)
            waiting.append(client)
        }
        let last = try bench.connect()
        guard case .status = try last.ask(.status) else { return #expect(Bool(false)) }
        #expect(try idle.next() == nil)
        try last.send(.wait)
        let refused = try bench.connect()
        guard case .failed(125, let text) = try refused.next() else { return #expect(Bool(false)) }
        #expect(text.contains("64 clients"))
        #expect(try refused.next() == nil)
        #expect(waiting.allSatisfy { $0.isSilent })
    }

    @Test("a pause is told in status and events, and only makes sense once")
    func pause() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        guard case .failed(_, let text) = try client.ask(.pause(false)) else { return #expect(Bool(false)) }
        #expect(text.contains("not paused"))
        for isPaused in [true, false] {
            try client.send(.pause(isPaused))
            #expect(try agent.expect("freeze") { if case .freeze(let found) = $0 { found } else { nil } } == isPaused)
            #expect(try client.next() == .done)
            #expect(try bench.status().state == (isPaused ? .paused : .running))
            guard isPaused else { continue }
            guard case .failed = try client.ask(.pause(true)) else { return #expect(Bool(false)) }
            guard case .failed = try client.ask(.execute(ProcessConfiguration(arguments: ["sh"]), [])) else { return #expect(Bool(false)) }
        }
        #expect(bench.eventNames() == ["start", "pause", "unpause"])
    }

    @Test("clients that come and go at random moments leave nothing behind", arguments: 0..<10)
    func comeAndGo(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let bench = try Bench { $0.hasInput = true }
        let (agent, process) = try bench.run()
        let output = try agent.stream(process.streams.input)
        let messages: [ClientMessage] = [.attach([.input, .output]), .input([1, 2]), .endOfInput, .wait, .status, .promiseCleanup,
                                         .statistics, .execute(ProcessConfiguration(arguments: ["x"]), [.input, .output]), .rename("n")]
        var clients: [FakeClient] = []
        for _ in 0..<200 {
            switch random.next() % 4 {
            case 0: clients.append(try bench.connect())
            case 1 where !clients.isEmpty: clients.remove(at: Int(random.next() % UInt64(clients.count)))
            case 2: try? output.send([3])
            default:
                guard let client = clients.randomElement(using: &random) else { continue }
                let frame = messages[Int(random.next() % UInt64(messages.count))].frame
                try? client.send(random.next() % 4 == 0 ? Array(frame.prefix(3)) : frame)
            }
        }
        clients = []
        while bench.onLoop({ $0.clients.count }) > 0 { try bench.settle() }
        #expect(bench.onLoop { $0.main?.sinks.count } == 1, "seed \(seed)")
    }
}


@Suite("A container's description")
struct DescriptionTests {
    @Test("survives its encoding, and is refused when it is cut or longer")
    func encoding() throws {
        let sandbox = SandboxConfiguration(hostname: "h", root: SandboxConfiguration.RootConfiguration(imageDisk: "i", writableDisk: "w"))
        var container = ContainerDescription(identifier: "id", name: "n", image: "m", directory: "/d", socket: "/s", sandbox: sandbox,
                                             process: ProcessConfiguration(arguments: ["a"]), eventLog: "/e")
        container.restart = .onFailure(maximum: 3)
        container.health = HealthCheck(command: ["c"])
        container.cleanup = ["x", "y"]
        container.isRemovedAtEnd = true
        let bytes = container.encoded
        #expect(try ContainerDescription(decoding: bytes) == container)
        for count in bytes.indices { #expect(throws: WireError.self) { _ = try ContainerDescription(decoding: Array(bytes[..<count])) } }
        #expect(throws: WireError.self) { _ = try ContainerDescription(decoding: bytes + [0]) }
    }
}
