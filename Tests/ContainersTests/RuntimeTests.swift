import AgentProtocol
@testable import Containers
import ContainerProtocol
import Glibc
import LinuxSystem
import Testing

@Suite("Containers with a monitor that plays", .enabled(if: access(Programs.monitor, X_OK) == 0, "svmm-fake-monitor is built with the tests"))
struct RuntimeTests {
    private let test: TestStore

    init() throws {
        test = try TestStore()
    }

    private var all: AttachedStreams { [.input, .output, .errors] }

    /// Everything that a session brings until its end.
    private func drain(_ session: ContainerSession) async throws -> (output: [UInt8], errors: [UInt8], exit: ContainerExit?) {
        var (output, errors): ([UInt8], [UInt8]) = ([], [])
        while let event = try await session.next() {
            switch event {
            case .started: break
            case .output(let bytes): output += bytes
            case .errors(let bytes): errors += bytes
            case .exited(let exit): return (output, errors, exit)
            }
        }
        return (output, errors, nil)
    }

    @Test("a container runs, says its word on both streams, and ends with its status")
    func run() async throws {
        let runtime = try await test.open()
        let options = StartOptions(streams: [.output, .errors], cleansUp: true)
        let session = try await runtime.run(.fake("echo", "hello", "world"), from: .fake(), options: options)
        let (output, errors, exit) = try await drain(session)
        #expect(String(decoding: output, as: UTF8.self) == "hello world\n")
        #expect(errors.isEmpty)
        #expect(exit == ContainerExit(status: 0))
        await session.waitForClose()
        let snapshot = try await runtime.inspect(session.record.name)
        #expect(snapshot.state == .exited)
        let warned = try await runtime.run(.fake("warn", "careful"), from: .fake(), options: options)
        #expect(String(decoding: try await drain(warned).errors, as: UTF8.self) == "careful\n")
        #expect(try await drain(try await runtime.run(.fake("exit", "3"), from: .fake(), options: options)).exit == ContainerExit(status: 3))
    }

    @Test("what goes in comes out, all of it, and its end ends the process")
    func input() async throws {
        let runtime = try await test.open()
        var request = ContainerRequest.fake("cat")
        request.hasInput = true
        let session = try await runtime.run(request, from: .fake(), options: StartOptions(streams: all))
        let sent = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        async let received = drain(session)
        try await session.send(sent)
        try session.endInput()
        let (output, _, exit) = try await received
        #expect(output == sent)
        #expect(exit == ContainerExit(status: 0))
    }

    @Test("a program that is not there leaves nothing behind", arguments: [("missing", 127), ("denied", 126), ("crash", 125)] as [(String, Int32)])
    func notStarted(command: String, status: Int32) async throws {
        let runtime = try await test.open()
        let error = try await #require(throws: ContainerError.self) {
            _ = try await runtime.run(.fake(command), from: .fake(), options: StartOptions(streams: [.output]))
        }
        #expect(error.exitStatus == status)
        #expect(test.leftovers == [])
        #expect(try await runtime.list().isEmpty)
    }

    @Test("a container that was made stays when it cannot be started")
    func madeAndNotStarted() async throws {
        let runtime = try await test.open()
        let record = try await runtime.create(.fake("missing", name: "m"), from: .fake())
        await #expect(throws: ContainerError.self) { _ = try await runtime.start("m", options: StartOptions()) }
        #expect(try await runtime.inspect("m").record == record)
    }

    @Test("in the background: started once, stopped in order, started again, removed")
    func background() async throws {
        let runtime = try await test.open()
        _ = try await runtime.create(.fake("sleep", name: "s"), from: .fake())
        #expect(try await runtime.inspect("s").state == .created)
        _ = try await runtime.start("s", options: StartOptions())
        _ = try await runtime.start("s", options: StartOptions())
        #expect(try await runtime.inspect("s").state == .running)
        await #expect(throws: ContainerError.self) { try await runtime.remove("s") }
        #expect(try await runtime.stop("s") == ContainerExit(status: 143))
        #expect(try await runtime.inspect("s").state == .exited)
        #expect(try await runtime.wait("s") == ContainerExit(status: 143))
        #expect(try await runtime.stop("s") == nil)
        _ = try await runtime.start("s", options: StartOptions())
        try await runtime.kill("s", signal: 10)
        #expect(try await runtime.wait("s").status == 138)
        try await runtime.remove("s")
        #expect(test.leftovers == [])
    }

    @Test("of many who start a container at the same time one does, and none fails")
    func startedByMany() async throws {
        let runtime = try await test.open()
        let record = try await runtime.create(.fake("sleep"), from: .fake())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<6 {
                group.addTask { _ = try await test.open().start(record.identifier, options: StartOptions()) }
            }
            try await group.waitForAll()
        }
        try await runtime.remove(record.identifier, isForced: true)
        #expect(test.leftovers == [])
    }

    @Test("a monitor that is killed is found by the next command, and the container starts again")
    func killedMonitor() async throws {
        let runtime = try await test.open()
        let session = try await runtime.run(.fake("sleep", name: "k"), from: .fake(), options: StartOptions())
        let status = try #require(try await runtime.inspect("k").status)
        #expect(Glibc.kill(status.processIdentifier, SIGKILL) == 0)
        await session.waitForClose()
        // Its descriptors are closed one after the other.
        try runtime.store.waitForMonitor(runtime.store.hold(session.record.identifier))
        let found = try await test.open().inspect("k")
        #expect(found.state == .exited)
        #expect(found.status?.failure.contains("was killed") == true)
        var past = EventOptions()
        (past.since, past.follows) = (0, false)
        var events: [ContainerEvent] = []
        for try await event in try await runtime.events(past) { events.append(event) }
        #expect(events.map(\.action) == ["create", "start", "die"])
        #expect(events.last?.attributes["exitCode"] == "125")
        #expect(try LinuxSystem.names(inDirectory: test.runtime).isEmpty)
        _ = try await runtime.start("k", options: StartOptions())
        #expect(try await runtime.inspect("k").state == .running)
        try await runtime.remove("k", isForced: true)
    }

    @Test("a temporary container whose monitor is killed is gone with the next command")
    func killedTemporary() async throws {
        let runtime = try await test.open()
        var request = ContainerRequest.fake("sleep", name: "k")
        request.isTemporary = true
        let session = try await runtime.run(request, from: .fake(), options: StartOptions(cleansUp: true))
        let status = try #require(try await runtime.inspect("k").status)
        #expect(Glibc.kill(status.processIdentifier, SIGKILL) == 0)
        await session.waitForClose()
        // Its descriptors are closed one after the other.
        try runtime.store.waitForMonitor(runtime.store.hold(session.record.identifier))
        #expect(try await test.open().list().isEmpty)
        #expect(test.leftovers == [])
    }

    @Test("who promised to clean up removes a temporary container at its end")
    func temporary() async throws {
        let runtime = try await test.open()
        var request = ContainerRequest.fake("true")
        request.isTemporary = true
        let session = try await runtime.run(request, from: .fake(), options: StartOptions(streams: [.output], cleansUp: true))
        #expect(try await drain(session).exit == ContainerExit(status: 0))
        try await runtime.removeEnded(session.record)
        #expect(test.leftovers == [])
        #expect(try await runtime.list().isEmpty)
    }

    @Test("a further process has streams and a status of its own")
    func execute() async throws {
        let runtime = try await test.open()
        _ = try await runtime.run(.fake("sleep", name: "e"), from: .fake(), options: StartOptions())
        let session = try await runtime.execute(ExecRequest(command: ["echo", "hi"]), in: "e", streams: [.output, .errors])
        #expect(try await drain(session).output == Array("hi\n".utf8))
        var request = ExecRequest(command: ["env"])
        request.environment = ["HOSTNAME=other", "NEW=1"]
        let variables = String(decoding: try await drain(try await runtime.execute(request, in: "e", streams: [.output])).output, as: UTF8.self)
        #expect(variables.hasSuffix("container=svmm\nHOSTNAME=other\nNEW=1\n"))
        let error = try await #require(throws: ContainerError.self) {
            _ = try await runtime.execute(ExecRequest(command: ["missing"]), in: "e", streams: [.output])
        }
        #expect(error.exitStatus == 127)
        _ = try await runtime.execute(ExecRequest(command: ["sleep"]), in: "e", streams: [])
        try await runtime.remove("e", isForced: true)
        await #expect(throws: ContainerError.self) { _ = try await runtime.execute(ExecRequest(command: ["true"]), in: "e", streams: []) }
    }

    @Test("attached later: input and output of the main process")
    func attach() async throws {
        let runtime = try await test.open()
        var request = ContainerRequest.fake("cat", name: "c")
        request.hasInput = true
        _ = try await runtime.run(request, from: .fake(), options: StartOptions())
        let session = try await runtime.attach("c", streams: all)
        try await session.send(Array("again\n".utf8))
        #expect(try await session.next() == .output(Array("again\n".utf8)))
        try session.endInput()
        #expect(try await session.next() == .exited(ContainerExit(status: 0)))
    }

    @Test("paused, looked at, renamed")
    func look() async throws {
        let runtime = try await test.open()
        _ = try await runtime.run(.fake("sleep", name: "p"), from: .fake(), options: StartOptions())
        try await runtime.pause("p", true)
        #expect(try await runtime.inspect("p").state == .paused)
        try await runtime.pause("p", false)
        #expect(try await runtime.statistics("p").residentBytes == 64 << 20)
        #expect(try await runtime.processes("p").map(\.command) == ["sleep"])
        try await runtime.rename("p", to: "q")
        #expect(try await runtime.list().map(\.record.name) == ["q"])
        await #expect(throws: ContainerError.self) { try await runtime.rename("q", to: "-") }
        _ = try await runtime.create(.fake("true", name: "r"), from: .fake())
        await #expect(throws: ContainerError.self) { try await runtime.rename("q", to: "r") }
        try await runtime.remove("q", isForced: true)
    }

    @Test("the log is read to its end, from a number of lines before it, and as it grows")
    func logs() async throws {
        let runtime = try await test.open()
        var request = ContainerRequest.fake("cat", name: "l")
        request.hasInput = true
        _ = try await runtime.run(request, from: .fake(), options: StartOptions())
        let session = try await runtime.attach("l", streams: [.input, .output])
        for text in ["one", "two", "three"] {
            try await session.send(Array("\(text)\n".utf8))
            _ = try await session.next()
        }
        var options = LogOptions()
        options.tail = 2
        var lines: [String] = []
        for try await entry in try await runtime.logs("l", options: options) { lines.append(String(decoding: entry.text, as: UTF8.self)) }
        #expect(lines == ["two\n", "three\n"])

        options.follows = true
        let logs = try await runtime.logs("l", options: options)
        var following = logs.makeAsyncIterator()
        #expect(try await following.next()?.text == Array("two\n".utf8))
        #expect(try await following.next()?.text == Array("three\n".utf8))
        try await session.send(Array("four\n".utf8))
        #expect(try await following.next()?.text == Array("four\n".utf8))
        try session.endInput()
        #expect(try await following.next() == nil)
    }

    @Test("events tell what happened, and what happens")
    func events() async throws {
        let runtime = try await test.open()
        var iterator = try await runtime.events().makeAsyncIterator()
        let session = try await runtime.run(.fake("exit", "4", name: "ev"), from: .fake(), options: StartOptions(streams: [.output]))
        _ = try await drain(session)
        var seen: [String] = []
        while let event = try await iterator.next() {
            seen.append(event.action)
            #expect((event.name, event.image) == ("ev", "fake:1"))
            if event.action == "die" {
                #expect(event.attributes == ["exitCode": "4"])
                break
            }
        }
        #expect(seen == ["create", "start", "die"])
        var past = EventOptions()
        (past.since, past.follows) = (0, false)
        var actions: [String] = []
        for try await event in try await runtime.events(past) { actions.append(event.action) }
        #expect(actions == seen)
        var soon = EventOptions()
        soon.until = Clock.realTimeNanoseconds()
        var none = try await runtime.events(soon).makeAsyncIterator()
        #expect(try await none.next() == nil)
    }

    @Test("an image that has gone, and a source of a mount that is none, are said before anything starts")
    func badParts() async throws {
        let runtime = try await test.open()
        _ = try await runtime.create(.fake("true", name: "g"), from: .fake(root: "gone"))
        let error = try await #require(throws: ContainerError.self) { _ = try await runtime.start("g", options: StartOptions()) }
        #expect(error.description.contains("is not in the store any more"))
        for source in ["/nonexistent", "/dev/null", "relative"] {
            var request = ContainerRequest.fake("true")
            request.mounts = [.bind(source: source, destination: "/x", options: [])]
            await #expect(throws: ContainerError.self) { _ = try await runtime.create(request, from: .fake()) }
        }
        #expect(test.leftovers.count == 1)
    }

    @Test("a name in use is refused, and nothing is left of the attempt")
    func names() async throws {
        let runtime = try await test.open()
        _ = try await runtime.create(.fake("true", name: "n"), from: .fake())
        let error = try await #require(throws: ContainerError.self) { _ = try await runtime.create(.fake("true", name: "n"), from: .fake()) }
        #expect(error.kind == .nameInUse)
        await #expect(throws: ContainerError.self) { _ = try await runtime.create(.fake("true", name: "a/b"), from: .fake()) }
        #expect(test.leftovers.count == 1)
        let generated = try await runtime.create(.fake("true"), from: .fake()).name
        #expect(generated.contains("_"))
    }

    @Test("a monitor that cannot be started, and one that knows nothing, are errors of one line")
    func noMonitor() async throws {
        for monitor in ["/nonexistent/svmm-vmm", "/bin/false"] {
            let runtime = try await test.open(monitor: monitor)
            let error = try await #require(throws: ContainerError.self) {
                _ = try await runtime.run(.fake("true"), from: .fake(), options: StartOptions(streams: [.output]))
            }
            #expect(error.exitStatus == 125)
            #expect(!error.description.contains("\n"))
        }
        #expect(test.leftovers == [])
    }
}
