import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct ContainerExec: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a further command in a container.",
        discussion: "Exit status: that of the command; 125 svmm's own error; 126 it cannot be executed; 127 there is no such program.")

    @Flag(name: .shortAndLong, help: "Leave the command in the background.")
    var detach = false

    @Flag(name: .shortAndLong, help: "Connect standard input.")
    var interactive = false

    @Flag(name: .shortAndLong, help: "Give the command a terminal.")
    var tty = false

    @Option(name: [.customShort("e", allowingJoined: true), .long], parsing: .singleValue,
            help: ArgumentHelp("Environment variable; a name alone takes its value from here.", valueName: "name[=value]"))
    var env: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("File with environment variables, one a line.", valueName: "file"))
    var envFile: [String] = []

    @Option(name: [.customShort("u", allowingJoined: true), .long],
            help: ArgumentHelp("User, by name or number in the container. (default: the container's)", valueName: "user[:group]"))
    var user: String?

    @Option(name: [.customShort("w", allowingJoined: true), .long],
            help: ArgumentHelp("Working directory. (default: the container's)", valueName: "directory"))
    var workdir: String?

    @Flag(help: "All capabilities.")
    var privileged = false

    @Option(help: ArgumentHelp("Keys that leave a terminal's command alone. (default: ctrl-p,ctrl-q)", valueName: "keys"))
    var detachKeys: String?

    @OptionGroup var store: StoreOptions

    // One argument: see `ContainerOptions`.
    @Argument(parsing: .captureForPassthrough,
              help: ArgumentHelp("Container, and the command.", valueName: "container command [argument]..."))
    var words: [String] = []

    private var container: String { words.first ?? "" }

    func validate() throws {
        guard !container.hasPrefix("-") else { throw ValidationError("unknown option '\(container)'") }
        guard words.count > 1 else { throw ValidationError("expected a container and a command") }
    }

    func prepare() throws {
        if !detach { try Foreground.takeSignals() }
    }

    func run() async throws {
        var request = ExecRequest(command: Array(words.dropFirst()))
        request.environment = try asUsage { () throws(Expected) in try EnvironmentOptions.combine(files: envFile, variables: env) }
        (request.user, request.workingDirectory, request.isPrivileged) = (user, workdir, privileged)
        (request.hasInput, request.hasTerminal) = (interactive, tty)
        request.terminal = tty ? Foreground.terminalSize : nil
        let foreground = try detach ? nil : Foreground(hasInput: interactive, hasTerminal: tty, detachKeys: detachKeys)
        let made = request
        try await Engine.run(store) { engine in
            let session = try await engine.runtime.execute(made, in: container, streams: foreground?.streams ?? [])
            guard let foreground else { return 0 }
            switch try await foreground.follow(session, stopsContainer: false) {
            case .exited(let exit): return exit.status
            case .detached: return 0
            // As the writer into a pipe that nobody reads.
            case .outputClosed: return 141
            }
        }
    }
}
