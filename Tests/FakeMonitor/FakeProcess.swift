import AgentProtocol
import LinuxSystem

/// What a container's process does, as its command says it.
///
/// true, false, exit N, echo WORD…, warn WORD… (standard error), env, spew N (bytes), cat (until the end of input), tty (says the terminal's
/// size, now and whenever it changes, until input ends), sleep (until a signal), stubborn (until SIGKILL), missing and denied (cannot be
/// started), crash (the monitor dies at once), hang (never starts).
struct FakeProcess: Sendable {
    enum Start: Equatable {
        case runs
        case fails(status: UInt8, String)
        case never
        case crashes
    }

    let configuration: ProcessConfiguration

    private var words: [String] { Array(configuration.arguments.dropFirst()) }
    private var name: String { configuration.arguments.first ?? "" }

    var start: Start {
        switch name {
        case "missing": .fails(status: 127, "missing: no such program in the container")
        case "denied": .fails(status: 126, "denied: permission denied")
        case "crash": .crashes
        case "hang": .never
        default: .runs
        }
    }

    /// What it writes at once, and its exit status where it ends at once.
    var firstWords: (output: [UInt8], errors: [UInt8], status: UInt8?) {
        func line(_ words: [String]) -> [UInt8] { Array((words.joined(separator: " ") + "\n").utf8) }
        switch name {
        case "true": return ([], [], 0)
        case "false": return ([], [], 1)
        case "exit": return ([], [], words.first.flatMap { UInt8($0) } ?? 0)
        case "echo": return (line(words), [], 0)
        case "warn": return ([], line(words), 0)
        case "env": return (configuration.environment.flatMap { line([$0]) }, [], 0)
        case "spew":
            let count = words.first.flatMap { Int($0) } ?? 0
            return ((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }, [], 0)
        case "tty": return (size(configuration.terminal), [], nil)
        case "say": return (line(words), [], nil)
        default: return ([], [], nil)
        }
    }

    func size(_ size: ProcessConfiguration.TerminalSize?) -> [UInt8] {
        Array((size.map { "\($0.columns)x\($0.rows)" } ?? "none").utf8) + [UInt8(ascii: "\n")]
    }

    /// Whether it writes back what it reads.
    var echoes: Bool { name == "cat" || name == "tty" }

    /// Whether it ends with its input.
    var endsWithInput: Bool { name == "cat" || name == "tty" }

    /// Whether a signal ends it.
    func dies(of signal: UInt8) -> Bool { signal == 9 || name != "stubborn" }
}
