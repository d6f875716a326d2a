import AgentProtocol
import ContainerProtocol
import Glibc
import LinuxSystem
import MachineProtocol
import Synchronization

/// The monitor of one container: a thread for each client, and a lock around everything.
final class FakeMonitor: Sendable {
    private let container: ContainerDescription
    private let stateDirectory: String
    private let lock: FileDescriptor
    private let state: Mutex<State>
    private let ended = Gate()
    /// Of volumes, locked as the real one does for as long as it lives.
    private let disks: [Disk]

    private final class Disk: Sendable {
        let file: FileDescriptor

        init(_ disk: DiskDescription) throws {
            file = try FileDescriptor.open(disk.path, disk.readOnly ? .readOnly : .readWrite)
            guard try file.tryLock(exclusive: !disk.readOnly) else { throw Errno.busy }
        }
    }

    private struct State {
        var status: ContainerStatus
        var clients: [FakeClient] = []
        var hasStarted = false
        var exit: UInt8?
    }

    private var process: FakeProcess { FakeProcess(configuration: container.process) }

    init(_ arguments: FakeArguments) throws {
        container = arguments.container
        stateDirectory = arguments.machine.stateDirectory ?? "/nonexistent"
        setCloseOnExec(arguments.lock)
        setCloseOnExec(arguments.client)
        lock = FileDescriptor(owning: arguments.lock)
        disks = try arguments.machine.disks.dropFirst(2).map { try Disk($0) }
        state = Mutex(State(status: ContainerStatus(state: .starting, processIdentifier: CurrentProcess.identifier)))
        try makeDirectories(stateDirectory, permissions: 0o700)
        writeStatus()
        let first = FakeClient(FileDescriptor(owning: arguments.client))
        state.withLock { $0.clients.append(first) }
        _ = try Thread(name: "client") { [self] in serve(first) }
    }

    func run() {
        do {
            let listener = try UnixListener(path: container.socket, backlog: 64)
            let signals = try SignalNumberQueue([15])
            _ = try Thread(name: "signals") { [self] in
                waitForInput(signals.raw)
                end(143)
            }
            try accept(consume listener)
        } catch {
            printErrorLine("svmm: fake monitor: \(container.socket): \(error)")
            exit(1)
        }
        ended.wait()
        conclude()
    }

    private func accept(_ listener: consuming UnixListener) throws {
        let holder = Holder(listener)
        _ = try Thread(name: "accept") { [self] in
            while let socket = try? holder.listener.accept() {
                let client = FakeClient(socket)
                state.withLock { $0.clients.append(client) }
                _ = try? Thread(name: "client") { [self] in serve(client) }
            }
        }
    }

    private final class Holder: Sendable {
        let listener: UnixListener
        init(_ listener: consuming UnixListener) { self.listener = listener }
    }

    // MARK: Clients

    private func serve(_ client: FakeClient) {
        while let message = client.receive() { handle(message, client) }
        state.withLock { state in state.clients.removeAll { $0 === client } }
    }

    private func handle(_ message: ClientMessage, _ client: FakeClient) {
        switch message {
        case .attach(let streams):
            client.streams.withLock { $0 = streams }
            start(client)
        case .detach: start(client)
        case .execute(let configuration, let streams): execute(FakeProcess(configuration: configuration), streams, client)
        case .input(let bytes): if process.echoes { write(bytes, isError: false) }
        case .endOfInput: if process.endsWithInput { end(0) }
        case .resize(let size): if process.start == .runs { write(process.size(size), isError: false) }
        case .signal(let signal):
            if client.streams.withLock({ $0 }) == nil { client.send(.done) }
            if process.dies(of: signal) { end(128 + signal) }
        case .stop(let timeout):
            client.waits.store(true, ordering: .releasing)
            if process.dies(of: 15) { end(143) } else if timeout == 0 { end(137) } else { end(137) }
        case .wait:
            client.waits.store(true, ordering: .releasing)
            if let status = state.withLock({ $0.exit }) { client.send(.exited(status: status, wasOutOfMemory: false)) }
        case .promiseCleanup: client.hasPromised.store(true, ordering: .releasing)
        case .pause(let isPaused):
            state.withLock { $0.status.state = isPaused ? .paused : .running }
            writeStatus()
            client.send(.done)
        case .statistics:
            var statistics = AgentStatistics()
            (statistics.cpu, statistics.processes) = (1_500_000, 3)
            client.send(.statistics(statistics, residentBytes: 64 << 20))
        case .processes:
            client.send(.processes([ProcessEntry(identifier: 1, parent: 0, user: 0, cpu: 10, elapsed: 1000, resident: 1 << 20, state: 83,
                                                 command: container.process.arguments.joined(separator: " "))]))
        case .status: client.send(.status(state.withLock { $0.status }))
        case .rename: client.send(.done)
        case .growDisk: client.send(.done)
        case .archive, .extract, .pathStatus: client.send(.failed(status: 125, "not in the fake monitor"))
        }
    }

    private func start(_ client: FakeClient) {
        guard !state.withLock({ $0.hasStarted }) else { return client.send(.started) }
        switch process.start {
        case .never: return
        case .crashes: CurrentProcess.exitNow(9)
        case .fails(let status, let text):
            state.withLock { state in
                state.status.exitStatus = status
                state.status.failure = text
                state.exit = status
            }
            client.send(.failed(status: status, text))
            return ended.open()
        case .runs: break
        }
        for mark in container.volumeMarks { try? renameFile(mark, to: (mark.lastIndex(of: "/").map { String(mark[...$0]) } ?? "") + ContainerFiles.usedVolume) }
        state.withLock { state in
            state.hasStarted = true
            state.status.state = .running
            state.status.startTime = Clock.realTimeNanoseconds()
        }
        writeStatus()
        event("start")
        client.send(.started)
        let (output, errors, status) = process.firstWords
        write(output, isError: false)
        write(errors, isError: true)
        if let status { end(status) }
    }

    private func execute(_ other: FakeProcess, _ streams: AttachedStreams, _ client: FakeClient) {
        guard case .runs = other.start else {
            if case .fails(let status, let text) = other.start { client.send(.failed(status: status, text)) }
            return
        }
        client.send(.started)
        guard !streams.isEmpty else { return }
        let (output, errors, status) = other.firstWords
        for part in parts(output) { client.send(.output(part)) }
        for part in parts(errors) { client.send(.errors(part)) }
        guard status == nil else { return client.send(.exited(status: status ?? 0, wasOutOfMemory: false)) }
        while let message = client.receive() {
            switch message {
            case .input(let bytes): if other.echoes { client.send(.output(bytes)) }
            case .endOfInput: return client.send(.exited(status: 0, wasOutOfMemory: false))
            case .resize(let size): client.send(.output(other.size(size)))
            case .signal(let number): return client.send(.exited(status: 128 + number, wasOutOfMemory: false))
            default: return client.send(.failed(status: 125, "unexpected"))
            }
        }
    }

    private func parts(_ bytes: [UInt8]) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: ContainerChannel.maximumPart).map {
            Array(bytes[$0..<min($0 + ContainerChannel.maximumPart, bytes.count)])
        }
    }

    private func write(_ bytes: [UInt8], isError: Bool) {
        let clients = state.withLock { $0.clients }
        for part in parts(bytes) {
            for client in clients where client.streams.withLock({ $0 })?.contains(isError ? .errors : .output) ?? false {
                client.send(isError ? .errors(part) : .output(part))
            }
        }
        guard container.log.isKept, !bytes.isEmpty else { return }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let text = String(decoding: line, as: UTF8.self).filter { $0 != "\"" && $0 != "\\" && !$0.isNewline }
            append(#"{"log":"\#(text)\n","stream":"\#(isError ? "stderr" : "stdout")","time":"\#(time)"}"#, to: "\(container.directory)/output.jsonl")
        }
    }

    // MARK: Records

    private var time: String {
        let now = Clock.realTimeNanoseconds()
        let fields = CalendarTime(secondsSince1970: Int(now / 1_000_000_000))
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(fields.year)-\(two(fields.month))-\(two(fields.day))T\(two(fields.hour)):\(two(fields.minute)):\(two(fields.second)).\(String(1_000_000_000 + now % 1_000_000_000).dropFirst())Z"
    }

    private func event(_ action: String, _ attributes: String = "") {
        append(#"{"time":"\#(time)","type":"container","action":"\#(action)","id":"\#(container.identifier)","name":"\#(container.name)","image":"\#(container.image)","attributes":{\#(attributes)}}"#, to: container.eventLog)
    }

    private func append(_ line: String, to path: String) {
        guard let file = try? FileDescriptor.open(path, [.writeOnly, .create, .append]) else { return }
        Array((line + "\n").utf8).withUnsafeBytes { bytes in try? file.writeAll(bytes) }
    }

    private func writeStatus() {
        let bytes = state.withLock { $0.status.encoded }
        let path = container.directory + "/" + ContainerFiles.status
        guard let file = try? FileDescriptor.open(path + ".tmp", [.writeOnly, .create, .truncate]) else { return }
        bytes.withUnsafeBytes { bytes in try? file.writeAll(bytes) }
        try? renameFile(path + ".tmp", to: path)
    }

    // MARK: The end

    private func end(_ status: UInt8) {
        let isFirst = state.withLock { state in
            guard state.exit == nil else { return false }
            state.exit = status
            state.status.exitStatus = status
            return true
        }
        guard isFirst else { return }
        event("die", #""exitCode":"\#(status)""#)
        ended.open()
    }

    private func conclude() {
        state.withLock { state in
            state.status.state = .exited
            state.status.endTime = Clock.realTimeNanoseconds()
        }
        writeStatus()
        let (clients, status) = state.withLock { ($0.clients, $0.exit ?? 0) }
        for client in clients where client.streams.withLock({ $0 != nil }) || client.waits.load(ordering: .acquiring) {
            client.send(.exited(status: status, wasOutOfMemory: false))
        }
        try? removeTree(stateDirectory)
        let isPromised = clients.contains { $0.hasPromised.load(ordering: .acquiring) }
        lock.unlockWhole()
        for client in clients { client.close() }
        if let program = container.cleanup.first, !isPromised {
            try? CurrentProcess.execute(program, arguments: container.cleanup)
        }
        CurrentProcess.exitNow(Int32(status))
    }
}
