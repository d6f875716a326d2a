import AgentProtocol
@testable import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Testing
import TestSupport

@Suite("A container's volumes, as its monitor sees them")
struct VolumeTests {
    private let directory = TemporaryDirectory()

    private func bench() throws -> Bench {
        let mark = try directory.file("filling", [])
        return try Bench {
            $0.sandbox.mounts = [SandboxConfiguration.Mount(.disk("volume-0"), at: "/data", copiesImage: true)]
            $0.volumeMarks = [mark]
            $0.restart = .onFailure(maximum: 1)
        }
    }

    private func isThere(_ name: String) -> Bool { (try? fileStatus(at: "\(directory.path)/\(name)")) != nil }

    @Test("are marked as used when the container is set up, not before, and not filled by its next machine")
    func marks() throws {
        let bench = try bench()
        let client = try bench.connect()
        #expect(isThere("filling") && !isThere("used"))
        let (agent, process) = try bench.run()
        #expect(try client.ask(.status) != nil)
        #expect(!isThere("filling") && isThere("used"))
        try agent.endMain(1, try agent.stream(process.streams.input), try agent.stream(process.streams.errors))
        _ = try agent.expectShutDown()
        #expect(try bench.machine.next() == .end)
        #expect(bench.onLoop { $0.container.sandbox.mounts.map(\.copiesImage) } == [false])
    }

    @Test("may take as long to be filled as that goes on, and no longer")
    func progress() throws {
        let bench = try Bench(hasClient: true)
        let client = try #require(bench.first)
        try client.send(.detach)
        let agent = try bench.boot()
        _ = try agent.ignoreRequests()
        for round in 1...3 as ClosedRange<UInt32> {
            bench.advance(seconds: 119)
            try agent.send(.progress)
            // What shows that the message before it has been taken.
            try agent.send(.outOfMemory(count: round))
            while !bench.onLoop({ $0.outOfMemoryCount == round }) {}
        }
        try bench.settle()
        #expect(try bench.status().state == .starting)
        bench.advance(seconds: 121)
        guard case .failed(125, let text) = try client.next() else { return #expect(Bool(false), "the client is not told") }
        #expect(text.contains("did not set the container up"), "\(text)")
    }

    @Test("grow by the agent's hand, and its word is passed on")
    func growth() throws {
        let bench = try bench()
        let (agent, _) = try bench.run()
        for (reply, said) in [(AgentReply.done, MonitorMessage.done), (.failed(AgentFailure(.failed, "no room")), .failed(status: 125, "no room"))] {
            let client = try bench.connect()
            try client.send(.growDisk(serial: "volume-0", size: 5))
            let asked = try agent.expect("growDisk", reply) { if case .growDisk(let serial, let size) = $0 { "\(serial) \(size)" } else { nil } }
            #expect(asked == "volume-0 5")
            #expect(try client.next() == said)
        }
    }
}
