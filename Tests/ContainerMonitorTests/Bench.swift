import AgentProtocol
@testable import ContainerMonitor
import ContainerProtocol
import LinuxSystem
import Synchronization
import TestSupport

/// A container's monitor on a loop of its own, with a machine, an agent and a clock that the test plays.
final class Bench: @unchecked Sendable {
    // Sound: what is in `state` is used on the loop's thread only, through `onLoop`; the rest does not change.
    let directory = TemporaryDirectory()
    let machine = FakeMachine()
    private let thread: LoopThread
    private let state = State()
    /// The other end of the connection from the start; nil: there is none.
    private(set) var first: FakeClient?

    private final class State: @unchecked Sendable {
        var monitor: ContainerMonitor?
        var time: ManualTime?
    }

    var vsockPath: String { directory.path("vsock.sock") }
    var socket: String { directory.path("container.sock") }
    var events: String { directory.path("events") }

    /// - Parameter change: what is different about the container.
    init(hasClient: Bool = false, _ change: (inout ContainerDescription) -> Void = { _ in }) throws {
        // A write to somebody who is gone is to fail, not to end the tests.
        ignoreWriteSignals()
        thread = try LoopThread()
        var sandbox = SandboxConfiguration(hostname: "box", root: SandboxConfiguration.RootConfiguration(imageDisk: "image", writableDisk: nil))
        sandbox.stopGrace = 10_000
        var container = ContainerDescription(
            identifier: String(repeating: "ab", count: 32), name: "web", image: "busybox", directory: directory.path,
            socket: directory.path("container.sock"), sandbox: sandbox,
            process: ProcessConfiguration(arguments: ["sh", "-c", "true"]), eventLog: directory.path("events"))
        change(&container)
        var client: Int32?
        if hasClient {
            let pair = try SocketPair(.stream)
            client = try pair.first.duplicate().release()
            first = FakeClient(try pair.second.duplicate())
        }
        let description = container
        let end = client
        var failure: (any Error)?
        let body = Body { [state, thread, machine, path = vsockPath] in
            do {
                let time = ManualTime()
                let monitor = try ContainerMonitor(
                    description, loop: thread.loop, time: time, client: end.map { FileDescriptor(owning: $0) }, lock: nil)
                (state.time, state.monitor) = (time, monitor)
                machine.monitor = monitor
                machine.loop = thread.loop
                try monitor.begin(machine, vsockPath: path)
            } catch {
                failure = error
            }
        }
        thread.loop.performAndWait { body.body() }
        if let failure { throw failure }
    }

    deinit {
        let (state, machine) = (state, machine)
        thread.loop.performAndWait {
            machine.monitor = nil
            state.monitor = nil
        }
    }

    private struct Body: @unchecked Sendable {
        // Sound: run once, while the caller waits.
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }

    /// Does something with the monitor on its thread.
    @discardableResult
    func onLoop<Result>(_ body: @escaping (ContainerMonitor) -> Result) -> Result {
        var result: Result?
        let work = Body { [state] in
            if let monitor = state.monitor { result = body(monitor) }
        }
        thread.loop.performAndWait { work.body() }
        guard let result else { fatalError("the monitor is gone") }
        return result
    }

    /// Lets so much time go by.
    func advance(seconds: UInt64 = 0, milliseconds: UInt64 = 0) {
        onLoop { [state] _ in state.time?.advance(seconds * 1_000_000_000 + milliseconds * 1_000_000) }
    }

    /// As `advance`, once the machine is gone and its successor waits for its time.
    func advanceWhenIdle(seconds: UInt64) {
        while !onLoop({ monitor in if case .resting = monitor.phase { true } else { false } }) {}
        advance(seconds: seconds)
    }

    // MARK: The usual ways

    /// A machine starts, and its agent arrives and says hello.
    func boot() throws -> FakeAgent {
        onLoop { $0.machineHasStarted() }
        return try connectAgent()
    }

    func connectAgent() throws -> FakeAgent {
        let agent = try FakeAgent(vsockPath)
        try agent.send(.hello(version: AgentChannel.version, milliseconds: 300))
        return agent
    }

    /// The container runs: its agent, and the request by which the main process was started.
    func run() throws -> (FakeAgent, ProcessConfiguration) {
        let agent = try boot()
        return (agent, try agent.startMain())
    }

    func connect() throws -> FakeClient { FakeClient(try .connected(toUnixSocket: socket)) }

    /// Returns when the monitor has dealt with all that was sent before: it accepts and answers another client after that.
    func settle() throws { _ = try connect().ask(.status) }

    /// The first client goes.
    func dropFirst() { first = nil }

    /// The status as others read it.
    func status() throws -> ContainerStatus {
        guard let bytes = directory.contents(ContainerFiles.status) else { throw TimeoutError(what: "a status") }
        return try ContainerStatus(decoding: bytes)
    }

    /// What happened so far.
    func eventNames() -> [String] {
        let lines = String(decoding: directory.contents("events") ?? [], as: UTF8.self).split(separator: "\n")
        return lines.compactMap { JSON($0)?["action"]?.text }
    }
}

/// A clock that goes on when a test says so.
final class ManualTime: TimeSource {
    private(set) var monotonic: UInt64 = 1_000_000_000
    var realTime: UInt64 { 1_768_000_000_000_000_000 + monotonic }
    var alarm: () -> Void = {}
    private var due: UInt64?

    func setAlarm(at time: UInt64?) { due = time }

    func advance(_ nanoseconds: UInt64) {
        let end = monotonic + nanoseconds
        while let due, due <= end {
            monotonic = max(due, monotonic)
            self.due = nil
            alarm()
        }
        monotonic = end
    }
}

/// What the monitor has asked of its machine.
enum MachineRequest: Equatable, Sendable {
    case powerButton, end, start
    case finish(Int32)
}

final class FakeMachine: ContainerMachine, @unchecked Sendable {
    func guestIsReady(_ done: @escaping () -> Void) { done() }

    // Sound: used on the loop's thread, but for `requests`.
    fileprivate(set) weak var monitor: ContainerMonitor?
    fileprivate var loop: EventLoop?
    private let requests = Mutex<[MachineRequest]>([])
    private let news = try? EventNotifier()
    /// Whether the guest listens to the power button.
    let hasPowerButton = Atomic(true)
    /// Whether the machine is gone as soon as it is asked to; otherwise the test says when.
    let goesAtOnce = Atomic(true)

    func pressPowerButton() -> Bool {
        note(.powerButton)
        return hasPowerButton.load(ordering: .relaxed)
    }

    func endMachine() {
        note(.end)
        guard goesAtOnce.load(ordering: .relaxed), let loop else { return }
        loop.perform { [self] in monitor?.machineIsGone() }
    }

    func startMachine() { note(.start) }

    func finish(status: Int32, message: String) { note(.finish(status)) }

    func residentBytes() -> UInt64? { 4321 }

    /// What the guest's console has been given.
    let printed = Mutex<[UInt8]>([])

    func printOnConsole(_ bytes: [UInt8]) {
        printed.withLock { $0 += bytes }
    }

    private func note(_ request: MachineRequest) {
        requests.withLock { $0.append(request) }
        news?.signal()
    }

    /// Waits for the next request.
    func next() throws -> MachineRequest {
        while true {
            let first = requests.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if let first { return first }
            try news?.wait("a request to the machine")
        }
    }

    var hasRequests: Bool { requests.withLock { !$0.isEmpty } }
}
