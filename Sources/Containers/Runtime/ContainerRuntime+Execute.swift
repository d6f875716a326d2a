import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// A further process for a container that runs. What is nil is as for the main process.
public struct ExecRequest: Sendable, Equatable {
    public var command: [String]
    /// NAME=VALUE, beside the container's own.
    public var environment: [String] = []
    public var user: String?
    public var workingDirectory: String?
    public var hasInput = false
    public var hasTerminal = false
    /// Whether it has all capabilities.
    public var isPrivileged = false
    /// Of the caller's terminal.
    public var terminal: ProcessConfiguration.TerminalSize?

    public init(command: [String]) {
        self.command = command
    }
}

extension ContainerRuntime {
    /// Starts another process in a container that runs; returns when it does.
    ///
    /// - Parameter streams: what the caller wants of its streams; empty: it runs by itself.
    public func execute(
        _ request: ExecRequest, in container: String, streams: AttachedStreams
    ) async throws(ContainerError) -> ContainerSession {
        try await BlockingWork.run { () throws(ContainerError) in
            guard !request.command.isEmpty else { throw .invalid("expected a command behind the container's name") }
            let record = try store.database.find(container)
            let connection = try connect(record)
            try connection.send(.execute(try process(request, record.configuration), streams))
            let session = ContainerSession(connection, record)
            try session.waitForStart()
            return session
        }
    }

    private func process(
        _ request: ExecRequest, _ configuration: ContainerConfiguration
    ) throws(ContainerError) -> ProcessConfiguration {
        var process = ProcessConfiguration(configuration, terminal: nil)
        process.arguments = request.command
        process.hasInit = false
        if request.isPrivileged {
            process.capabilities = Capabilities.mask(Capabilities.names)
            process.hasNoNewPrivileges = false
        }
        let names = Set(request.environment.map { $0.prefix { $0 != "=" } })
        process.environment.removeAll { names.contains($0.prefix { $0 != "=" }) }
        process.environment += request.environment
        if let user = request.user { process.user = user }
        if let directory = request.workingDirectory {
            guard directory.hasPrefix("/") else { throw .invalid("--workdir \(directory): expected an absolute path in the container") }
            process.workingDirectory = directory
        }
        process.terminal = request.hasTerminal ? request.terminal ?? ProcessConfiguration.TerminalSize(columns: 80, rows: 24) : nil
        if request.hasTerminal, !process.environment.contains(where: { $0.hasPrefix("TERM=") }) { process.environment.append("TERM=xterm") }
        process.streams.hasInput = request.hasInput
        return process
    }

    /// The main process's streams from now on.
    public func attach(_ container: String, streams: AttachedStreams) async throws(ContainerError) -> ContainerSession {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            let session = ContainerSession(try connect(record), record, socket: store.paths(record.identifier).socket)
            try session.connection.send(.attach(streams))
            try session.waitForStart()
            return session
        }
    }
}
