import AgentProtocol
import Testing

extension ProcessConfiguration {
    /// As containers have by default.
    init(_ arguments: [String]) {
        self.init(arguments: arguments)
        capabilities = 0xa804_25fb
    }

    /// A line for the shell.
    static func shell(_ script: String, _ change: (inout ProcessConfiguration) -> Void = { _ in }) -> ProcessConfiguration {
        var configuration = ProcessConfiguration(["/bin/sh", "-c", script])
        change(&configuration)
        return configuration
    }
}

extension AgentHost {
    /// A process that the agent has started.
    struct Started {
        let number: UInt32
        let main: HostStream
        let errors: HostStream?
        fileprivate let tokens: [UInt64]
    }

    /// What came of a process.
    struct Outcome: Equatable {
        var status: UInt8
        var output: String
        var errors = ""
        var wasOutOfMemory = false
    }

    /// Asks for a process, and does not wait; returns the request's number.
    ///
    /// - Parameters:
    ///   - input: nil: the process has none.
    ///   - isEndless: whether the input stays open when all of it has been sent.
    func begin(
        _ configuration: ProcessConfiguration, number: UInt32 = 0, input: [UInt8]? = nil, isEndless: Bool = false
    ) throws -> (request: UInt32, started: Started) {
        var configuration = configuration
        let (token, main) = makeStream(input ?? [])
        main.endsInput = input != nil && !isEndless
        configuration.streams.input = token
        configuration.streams.hasInput = input != nil
        var tokens = [token]
        var errors: HostStream?
        if configuration.terminal == nil {
            let (token, stream) = makeStream()
            stream.endsInput = false
            configuration.streams.errors = token
            errors = stream
            tokens.append(token)
        }
        let request = try send(number == 0 ? .start(configuration) : .execute(process: number, configuration))
        return (request, Started(number: number, main: main, errors: errors, tokens: tokens))
    }

    func start(
        _ configuration: ProcessConfiguration, number: UInt32 = 0, input: [UInt8]? = nil, isEndless: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Started {
        let (request, started) = try begin(configuration, number: number, input: input, isEndless: isEndless)
        let answer = try reply(request, "start")
        try #require(answer == .done, "\(configuration.arguments)", sourceLocation: sourceLocation)
        return started
    }

    /// Waits for the end of a process and of its streams.
    func finish(_ started: Started) throws -> Outcome {
        let exit = try takeExit(started.number)
        try wait("the end of the streams") { started.main.hasEnded && started.errors?.hasEnded != false }
        for token in started.tokens { forget(token) }
        return Outcome(status: exit.status, output: started.main.text, errors: started.errors?.text ?? "",
                       wasOutOfMemory: exit.wasOutOfMemory)
    }

    func run(
        _ configuration: ProcessConfiguration, number: UInt32 = 0, input: [UInt8]? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Outcome {
        try finish(start(configuration, number: number, input: input, sourceLocation: sourceLocation))
    }

    func run(
        _ script: String, number: UInt32 = 0, sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout ProcessConfiguration) -> Void = { _ in }
    ) throws -> Outcome {
        try run(.shell(script, change), number: number, sourceLocation: sourceLocation)
    }

    /// Starts what cannot be started; returns why.
    func failure(
        _ configuration: ProcessConfiguration, number: UInt32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> AgentFailure {
        let (request, started) = try begin(configuration, number: number)
        let answer = try reply(request, "start")
        for token in started.tokens { forget(token) }
        guard case .failed(let failure) = answer else {
            Issue.record("\(configuration.arguments) was started: \(answer)", sourceLocation: sourceLocation)
            throw AgentFailure(.failed, "started")
        }
        return failure
    }

    /// Sends an archive for a request and waits for the answer.
    func extract(_ archive: [UInt8], to path: String) throws -> AgentReply {
        let (token, stream) = makeStream(archive)
        defer { forget(token) }
        let answer = try ask(.extract(path: path, stream: token))
        withExtendedLifetime(stream) {}
        return answer
    }

    func archive(_ path: String) throws -> (reply: AgentReply, bytes: [UInt8]) {
        let (token, stream) = makeStream()
        stream.endsInput = false
        defer { forget(token) }
        let answer = try ask(.archive(path: path, stream: token))
        if stream.isConnected { try wait("the end of the archive") { stream.hasEnded } }
        return (answer, stream.received)
    }
}
