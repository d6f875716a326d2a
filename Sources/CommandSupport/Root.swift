import ArgumentParser
import LinuxSystem

extension ParsableCommand {
    /// As ParsableCommand's own `main`, but with errors of one line and exit statuses of svmm's. For the root of the commands.
    ///
    /// - Parameters:
    ///   - usageStatus: for words that are none of its commands'.
    ///   - arguments: what was typed; nil: the process's own.
    ///   - run: runs the command that the words make; returns the status of svmm's own errors for that command.
    package static func runAsRoot(usageStatus: Int32, arguments: [String]? = nil, _ run: (inout any ParsableCommand) throws -> Void,
                                  failureStatus: (any ParsableCommand) -> Int32?) -> Never {
        if let argument = CommandLine.arguments.first(where: { $0.contains("\u{FFFD}") }) {
            printErrorLine("svmm: argument '\(visible(argument))': not UTF-8; rename the file or use another name for it")
            CurrentProcess.exitNow(usageStatus)
        }
        var own: Int32?
        do {
            var command = try parseCommand(arguments ?? Array(CommandLine.arguments.dropFirst()))
            own = failureStatus(command)
            try run(&command)
        } catch {
            let status = exitCode(for: error)
            guard !status.isSuccess else {
                StandardOutput.print(fullMessage(for: error))
                CurrentProcess.exitNow(StandardOutput.end(failing: usageStatus))
            }
            let text = message(for: error)
            if status == .validationFailure {
                printErrorLine("svmm: \(oneLine(text)); see \(helpfulCommand(arguments)) --help")
                CurrentProcess.exitNow(usageStatus)
            }
            if !text.isEmpty { printErrorLine("svmm: \(oneLine(text))") }
            if let own, status == .failure, !(error is ExitCode) { CurrentProcess.exitNow(own) }
            CurrentProcess.exitNow(status.rawValue)
        }
        CurrentProcess.exitNow(StandardOutput.end(failing: own ?? usageStatus))
    }

    /// The command that the words make. One that has none below it is parsed by itself, which takes a fraction of the time of parsing all of
    /// them; what it does not take they are given, who say why, or print help.
    private static func parseCommand(_ words: [String]) throws -> any ParsableCommand {
        var command: any ParsableCommand.Type = self
        var rest = words[...]
        while let word = rest.first, let next = command.subcommands.first(where: { $0.isCalled(word) }) {
            command = next
            rest.removeFirst()
        }
        if command.subcommands.isEmpty, let parsed = try? command.parse(Array(rest)) { return parsed }
        return try parseAsRoot(words)
    }

    private static var subcommands: [any ParsableCommand.Type] {
        configuration.subcommands + configuration.groupedSubcommands.flatMap { $0.subcommands }
    }

    /// As much of what was typed as are commands' names.
    private static func helpfulCommand(_ arguments: [String]?) -> String {
        var words = ["svmm"]
        var commands = subcommands
        for word in arguments ?? Array(CommandLine.arguments.dropFirst()) {
            guard let next = commands.first(where: { $0.isCalled(word) }) else { break }
            words.append(word)
            commands = next.subcommands
        }
        return words.joined(separator: " ")
    }

    /// Whether the word is the command's name, or another one for it.
    package static func isCalled(_ word: String) -> Bool {
        _commandName == word || configuration.aliases.contains(word)
    }
}
