import AgentProtocol
@testable import ContainerMonitor
import LinuxSystem
import TestSupport
import Testing

@Suite("A template's maker")
struct TemplateMakerTests {
    /// A maker on a loop of its own, with a machine, an agent and a clock that the test plays.
    private final class Place: @unchecked Sendable {
        // Sound: the maker and its clock are used on the loop's thread only.
        let directory = TemporaryDirectory()
        let machine = FakeMachine()
        private let thread: LoopThread
        private let time = ManualTime()
        private var maker: TemplateMaker?

        init() throws {
            ignoreWriteSignals()
            thread = try LoopThread()
            var failure: (any Error)?
            onLoop { place in
                do {
                    let maker = TemplateMaker(loop: place.thread.loop, time: place.time)
                    try maker.begin(place.machine, vsockPath: place.directory.path("vsock.sock"))
                    maker.machineHasStarted()
                    place.maker = maker
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
        }

        deinit {
            let (thread, maker) = (thread, Kept(maker))
            thread.loop.performAndWait { maker.value?.closeSockets() }
        }

        private struct Kept: @unchecked Sendable {
            // Sound: used on the loop's thread alone, while the caller waits.
            let value: TemplateMaker?
            init(_ value: TemplateMaker?) { self.value = value }
        }

        private func onLoop(_ body: @escaping (Place) -> Void) {
            let work = Work { [self] in body(self) }
            thread.loop.performAndWait { work.body() }
        }

        private struct Work: @unchecked Sendable {
            // Sound: run once, while the caller waits.
            let body: () -> Void
            init(_ body: @escaping () -> Void) { self.body = body }
        }

        func onMaker(_ body: @escaping (TemplateMaker) -> Void) { onLoop { if let maker = $0.maker { body(maker) } } }

        func advance(seconds: UInt64) { onLoop { $0.time.advance(seconds * 1_000_000_000) } }

        func agent() throws -> FakeAgent { try FakeAgent(directory.path("vsock.sock")) }
    }

    @Test("ends its machine when the agent has said hello, and that is well")
    func hello() throws {
        let place = try Place()
        let agent = try place.agent()
        try agent.send(.hello(version: AgentChannel.version, milliseconds: 100))
        #expect(try place.machine.next() == .end)
        place.onMaker { $0.machineIsGone() }
        #expect(try place.machine.next() == .finish(0))
        // Neither does what comes later change that.
        place.onMaker { $0.machineHasEnded(.poweredOff) }
        place.advance(seconds: 1000)
        #expect(!place.machine.hasRequests)
    }

    enum Trouble: CaseIterable { case silence, otherVersion, nonsense, loss, crash, signal }

    @Test("makes none where the agent says nothing, is of another version, breaks the protocol or goes, or the machine ends", arguments: Trouble.allCases)
    func trouble(_ trouble: Trouble) throws {
        let place = try Place()
        var agent: FakeAgent? = try place.agent()
        switch trouble {
        case .silence: place.advance(seconds: 121)
        case .otherVersion: try agent?.send(.hello(version: AgentChannel.version + 1, milliseconds: 100))
        case .nonsense: try agent?.send([0xFF, 0xFF, 0xFF, 0xFF])
        case .loss: agent = nil
        case .crash: place.onMaker { $0.machineHasEnded(.crashed("a triple fault")) }
        case .signal: place.onMaker { $0.take(.terminate) }
        }
        #expect(try place.machine.next() == .end)
        place.onMaker { $0.machineIsGone() }
        #expect(try place.machine.next() == .finish(125))
        withExtendedLifetime(agent) {}
    }

    @Test("does not wait for an agent that has said hello once more, nor for its time")
    func twice() throws {
        let place = try Place()
        let agent = try place.agent()
        try agent.send(.hello(version: AgentChannel.version, milliseconds: 100))
        try agent.send(.hello(version: AgentChannel.version, milliseconds: 100))
        #expect(try place.machine.next() == .end)
        place.advance(seconds: 1000)
        place.onMaker { $0.machineIsGone() }
        #expect(try place.machine.next() == .finish(0))
    }
}
