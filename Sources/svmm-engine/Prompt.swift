import LinuxSystem
import MachineProtocol
import Synchronization

/// Asks the person at the terminal.
enum Prompt {
    private static let input: Int32 = 0
    private static let output: Int32 = 2
    /// Longer than any password that a registry takes.
    private static let limit = 64 << 10

    struct Failure: Error, CustomStringConvertible {
        let description: String

        static let noTerminal = Failure(
            description: "standard input is no terminal to ask for user and password: give --username and --password-stdin")
        static let noAnswer = Failure(
            description: "standard input is no terminal to ask on, and has no answer: expected y, or --force to go without asking")
        static let interrupted = Failure(description: "interrupted")
        static let ended = Failure(description: "standard input has ended")
        static let tooLong = Failure(description: "standard input: more than 65536 bytes, which no password has")
        static let notText = Failure(description: "standard input: not UTF-8")
    }

    /// A line, shown as it is typed.
    static func line(_ question: String, default standard: String?) throws -> String {
        guard isTerminal(input) else { throw Failure.noTerminal }
        write(question)
        guard let text = try line() else { throw Failure.ended }
        return text.isEmpty ? standard ?? "" : text
    }

    /// Whether a line of the terminal, or of what standard input is else, begins with a y.
    static func confirm(_ question: String) throws -> Bool {
        write("\(question) Go on? [y/N] ")
        let answer = try? line()
        // Nobody has ended the question's line.
        if !isTerminal(input) { write("\n") }
        guard let answer else { throw isTerminal(input) ? Failure.ended : Failure.noAnswer }
        return answer.lowercased().hasPrefix("y")
    }

    /// A line without its end; nil where the input has ended before it.
    private static func line() throws -> String? {
        var line: [UInt8] = []
        while let byte = try byte() {
            if byte == UInt8(ascii: "\n") { return try text(line) }
            guard line.count < limit else { throw Failure.tooLong }
            line.append(byte)
        }
        return line.isEmpty ? nil : try text(line)
    }

    /// A line that is not shown. The terminal is as it was afterwards, also when Ctrl-C ends the question.
    static func secret(_ question: String) throws -> String {
        guard isTerminal(input), let mode = try? TerminalMode(of: input) else { throw Failure.noTerminal }
        saved.withLock { saved in
            saved = mode
            mode.raw().apply(to: input)
        }
        // Only now: who types at once is not shown either.
        write(question)
        defer {
            restore()
            write("\n")
        }
        var line: [UInt8] = []
        while true {
            switch try byte() {
            case nil, 0x03: throw Failure.interrupted
            case 0x04 where line.isEmpty: throw Failure.ended
            case 0x0A, 0x0D, 0x04: return try text(line)
            case 0x08, 0x7F:
                // A character may have several bytes.
                while let last = line.popLast(), last & 0xC0 == 0x80 {}
            case 0x15: line = []
            case let byte?:
                guard line.count < limit else { throw Failure.tooLong }
                line.append(byte)
            }
        }
    }

    /// Standard input to its end, without the line feed at its end.
    static func allOfStandardInput() throws -> String {
        var bytes: [UInt8] = []
        while let byte = try byte() {
            guard bytes.count < limit else { throw Failure.tooLong }
            bytes.append(byte)
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        return try text(bytes)
    }

    /// The terminal's mode while it does not show what is typed.
    private static let saved = Mutex<TerminalMode?>(nil)

    private static func restore() {
        saved.withLock { saved in
            saved?.apply(to: input)
            saved = nil
        }
    }

    /// Makes signals that end the process restore the terminal first, where there is one. Before the first thread.
    static func prepare() throws(Errno) {
        guard isTerminal(input) else { return }
        let signals = try SignalQueue([.hangUp, .interrupt, .quit, .terminate])
        _ = try Thread(name: "signals") {
            while true {
                waitForInput(signals.raw)
                guard let signal = signals.next() else { continue }
                restore()
                CurrentProcess.exitNow(ExitStatus.signal(signal.rawValue))
            }
        }
    }

    private static func byte() throws -> UInt8? {
        var byte: UInt8 = 0
        let count = withUnsafeMutableBytes(of: &byte) { readWhenReady(input, into: $0) }
        guard let count else { throw Failure.ended }
        return count == 0 ? nil : byte
    }

    private static func text(_ bytes: [UInt8]) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure.notText }
        return text
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { writeWhatFits(output, $0) }
    }
}
