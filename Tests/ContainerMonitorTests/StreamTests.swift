import AgentProtocol
@testable import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Testing
import TestSupport

@Suite("Streams of a container", .timeLimit(.minutes(2)))
struct StreamTests {
    @Test("input of every attached client reaches the process; its end closes it, a client that only goes does not")
    func input() throws {
        let bench = try Bench { $0.hasInput = true }
        let (agent, process) = try bench.run()
        #expect(process.streams.hasInput)
        let stream = try agent.stream(process.streams.input)
        for word in ["one", "two"] {
            let client = try bench.connect()
            #expect(try client.ask(.attach([.input, .output])) == .started)
            try client.send(.input(Array(word.utf8)))
            #expect(try stream.read(3) == Array(word.utf8))
        }
        try bench.settle()
        #expect(stream.isSilent)
        let last = try bench.connect()
        #expect(try last.ask(.attach([.input])) == .started)
        try last.send(.input([0, 255, 10]))
        try last.send(.endOfInput)
        #expect(try stream.readToEnd() == [0, 255, 10])
    }

    @Test("a client that attaches without input cannot write")
    func noInput() throws {
        let bench = try Bench { $0.hasInput = true }
        let (agent, process) = try bench.run()
        let stream = try agent.stream(process.streams.input)
        let client = try bench.connect()
        #expect(try client.ask(.attach([.output])) == .started)
        try client.send(.input([1]))
        try client.send(.endOfInput)
        try bench.settle()
        #expect(stream.isSilent)
    }

    @Test("a terminal is one stream; the end of input is typed, sizes and signals are passed on")
    func terminal() throws {
        let bench = try Bench { $0.process.terminal = ProcessConfiguration.TerminalSize(columns: 80, rows: 24) }
        let (agent, process) = try bench.run()
        #expect(process.streams.input != 0 && process.streams.errors == 0)
        let stream = try agent.stream(process.streams.input)
        let client = try bench.connect()
        #expect(try client.ask(.attach([.input, .output, .errors])) == .started)
        let size = ProcessConfiguration.TerminalSize(columns: 132, rows: 50)
        try client.send(.resize(size))
        #expect(try agent.expect("resize") { if case .resize(0, let size) = $0 { size } else { nil } } == size)
        try client.send(.signal(28))
        #expect(try agent.expectSignal() == [0, 28])
        try client.send(.endOfInput)
        #expect(try stream.read(1) == [4])
        try stream.send(Array("$ ".utf8))
        #expect(try client.next() == .output(Array("$ ".utf8)))
    }

    @Test("output is lossless for attached clients: a slow one holds the guest up, and memory stays small")
    func backPressure() throws {
        let bench = try Bench { $0.log.isKept = false }
        let (agent, process) = try bench.run()
        let (output, errors) = (try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        let (slow, fast) = (try bench.connect(), try bench.connect())
        #expect(try slow.ask(.attach([.output])) == .started)
        #expect(try fast.ask(.attach([.output])) == .started)
        try output.setNonBlocking()
        // Endless for whoever takes it all: how much fits between the process and a client that does not read?
        let pattern = (0..<65536).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var sent: [UInt8] = []
        var idleTurns = 0
        while idleTurns < 3 {
            let part = try output.sendSome(pattern)
            sent += pattern.prefix(part)
            idleTurns = part == 0 ? idleTurns + 1 : 0
            try bench.settle()
            #expect(sent.count < 8 << 20)
            if sent.count >= 8 << 20 { return }
        }
        // Once they read, everything comes, in order.
        let everything = sent
        let reader = Reader(slow, count: everything.count)
        #expect(try fast.readOutput(everything.count) == everything)
        #expect(try reader.wait() == everything)
        try agent.endMain(0, output, errors)
        #expect(try slow.next() == .exited(status: 0, wasOutOfMemory: false))
    }

    @Test("a client that is gone holds nobody up")
    func goneClient() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let output = try agent.stream(process.streams.input)
        do {
            let client = try bench.connect()
            #expect(try client.ask(.attach([.output])) == .started)
            try output.setNonBlocking()
            var idleTurns = 0
            while idleTurns < 3 {
                idleTurns = try output.sendSome([UInt8](repeating: 65, count: 65536)) == 0 ? idleTurns + 1 : 0
                try bench.settle()
            }
        }
        // It can go on now, for good.
        for _ in 0..<16 {
            try waitUntilWritable(output.descriptor.raw)
            _ = try output.sendSome([UInt8](repeating: 65, count: 65536))
        }
    }

    @Test("a client that stops reading does not keep the container from its end")
    func stalledAtTheEnd() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let (output, errors) = (try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        let client = try bench.connect()
        #expect(try client.ask(.attach([.output])) == .started)
        try output.setNonBlocking()
        var idleTurns = 0
        while idleTurns < 3 {
            idleTurns = try output.sendSome([UInt8](repeating: 65, count: 65536)) == 0 ? idleTurns + 1 : 0
            try bench.settle()
        }
        try agent.endMain(0, output, errors)
        try bench.settle()
        #expect(agent.isSilent)
        for _ in 0..<11 { bench.advance(seconds: 1) }
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(0))
    }

    @Test("a guest that never ends its streams does not keep the container from its end either")
    func endlessStreams() throws {
        let bench = try Bench()
        let (agent, process) = try bench.run()
        let output = try agent.stream(process.streams.input)
        try agent.send(.exited(process: 0, status: 2, wasOutOfMemory: true))
        try bench.settle()
        for _ in 0..<11 { bench.advance(seconds: 1) }
        _ = try agent.expectShutDown()
        #expect(try output.readToEnd() == [])
        #expect(try bench.machine.next() == .end)
        #expect(try bench.machine.next() == .finish(2))
        #expect(try bench.status().wasOutOfMemory)
    }

    @Test("another process has streams of its own, as far as they are wanted, and a status")
    func execute() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        try client.send(.execute(ProcessConfiguration(arguments: ["cat", "-v"]), [.input, .output, .errors]))
        let (number, process) = try agent.expectExecute()
        #expect(number != 0 && process.arguments == ["cat", "-v"] && process.streams.hasInput)
        #expect(try client.next() == .started)
        let kept = bench.onLoop { Weak($0.processes.values.first) }
        #expect(bench.onLoop { _ in kept.value != nil })
        let (output, errors) = (try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        try client.send(.input([7]))
        #expect(try output.read(1) == [7])
        try client.send(.signal(10))
        #expect(try agent.expectSignal() == [number, 10])
        try errors.send([9])
        #expect(try client.next() == .errors([9]))
        for stream in [output, errors] { try stream.endSending() }
        try agent.send(.exited(process: number, status: 33, wasOutOfMemory: false))
        #expect(try client.next() == .exited(status: 33, wasOutOfMemory: false))
        // Nor is anything left of it: no object, and so no descriptor.
        #expect(bench.onLoop { _ in kept.value == nil })
        // The connection is free for the next.
        try client.send(.execute(ProcessConfiguration(arguments: ["nosuch"]), []))
        let (_, second) = try agent.expectExecute(.failed(AgentFailure(.commandNotFound, "nosuch: not found")))
        #expect(second.streams == ProcessConfiguration.Streams())
        #expect(try client.next() == .failed(status: 127, "nosuch: not found"))
        #expect(bench.eventNames() == ["start", "exec_start", "exec_die"])
    }

    @Test("a client that leaves its process hangs up its terminal, or ends its input", arguments: [true, false])
    func abandoned(hasTerminal: Bool) throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        var configuration = ProcessConfiguration(arguments: ["sh"])
        if hasTerminal { configuration.terminal = ProcessConfiguration.TerminalSize(columns: 80, rows: 24) }
        let number: UInt32
        let output: Peer
        do {
            let client = try bench.connect()
            try client.send(.execute(configuration, [.input, .output]))
            let (found, process) = try agent.expectExecute()
            number = found
            #expect(try client.next() == .started)
            output = try agent.stream(process.streams.input)
        }
        if hasTerminal {
            #expect(try agent.expectSignal() == [number, 1])
        } else {
            #expect(try output.readToEnd() == [])
        }
        // Its end is nobody's any more, but no surprise.
        try output.send([1, 2, 3])
        try output.endSending()
        try agent.send(.exited(process: number, status: 0, wasOutOfMemory: false))
        try bench.settle()
        #expect(bench.onLoop { $0.processes.isEmpty })
        #expect(!bench.machine.hasRequests)
    }

    @Test("a process that runs with the machine to its end is told as killed")
    func endWithTheMachine() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        try client.send(.execute(ProcessConfiguration(arguments: ["sleep"]), [.output]))
        let (_, process) = try agent.expectExecute()
        #expect(try client.next() == .started)
        let output = try agent.stream(process.streams.input)
        bench.onLoop { $0.take(Signal.quit) }
        try output.endSending()
        #expect(try client.next() == .exited(status: 137, wasOutOfMemory: false))
    }

    @Test("archives come and go through streams of their own")
    func archives() throws {
        let bench = try Bench()
        let (agent, _) = try bench.run()
        let client = try bench.connect()
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 3) }

        try client.send(.archive(path: "/etc"))
        let (number, request) = try agent.next()
        guard case .archive("/etc", let token) = request else { return #expect(Bool(false)) }
        do {
            let stream = try agent.stream(token)
            let reader = Reader(client, count: bytes.count)
            try stream.send(bytes)
            #expect(try reader.wait() == bytes)
        }
        try agent.reply(number)
        #expect(try client.next() == .done)

        try client.send(.extract(path: "/tmp"))
        let (second, other) = try agent.next()
        guard case .extract("/tmp", let place) = other else { return #expect(Bool(false)) }
        let stream = try agent.stream(place)
        let sender = Sender(client, bytes)
        #expect(try stream.readToEnd() == bytes)
        try sender.wait()
        try agent.reply(second)
        #expect(try client.next() == .done)

        // One that the agent refuses: what is still on its way is dropped, and the next request is answered.
        try client.send(.extract(path: "/nosuch"))
        let (third, _) = try agent.next()
        try agent.reply(third, .failed(AgentFailure(.notFound, "/nosuch: not found")))
        #expect(try client.next() == .failed(status: 125, "/nosuch: not found"))
        try client.send(.input([1, 2, 3]))
        try client.send(.endOfInput)
        guard case .status = try client.ask(.status) else { return #expect(Bool(false)) }
    }
}

/// Sound: looked at on the loop's thread.
private final class Weak: @unchecked Sendable {
    private(set) weak var value: GuestProcess?
    init(_ value: GuestProcess?) { self.value = value }
}
