import Glibc
import LinuxSystem

/// A program that runs and is talked to: what it prints is read, and lines are typed for it. It is killed when the object ends.
final class Session {
    /// By CLOCK_MONOTONIC, before the fork.
    private let start: UInt64
    private let command: Command
    private let runner: Runner
    private let child: Child
    private let input: Pipe
    private let output: Pipe
    private let errors: FileDescriptor
    /// What it has printed and nobody has waited for.
    private var text: [UInt8] = []
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)

    /// Starts it.
    ///
    /// - Parameter input: what it finds at its standard input, which then waits for more; nil: nothing, and there is no more.
    init(_ command: Command, input text: String?, _ runner: Runner) throws {
        self.command = command
        self.runner = runner
        input = try FileDescriptor.pipe()
        output = try FileDescriptor.pipe()
        errors = try FileDescriptor.anonymousFile(name: "errors")
        if let text { try Self.write(text, to: input, of: command) }
        start = Clock.now
        child = try runner.spawn(command, input: text == nil ? nil : input.read.raw, output: output.write.raw, errors: errors.raw)
    }

    deinit {
        child.kill()
    }

    var identifier: pid_t { child.identifier }

    func kill() { child.kill() }

    /// The number of the descriptor that has its output, for a wait that must not let the program wait: see `drain`. Borrowed.
    var outputRaw: Int32 { output.read.raw }

    /// Types that. It has to fit into a pipe.
    func type(_ text: String) throws { try Self.write(text, to: input, of: command) }

    /// Waits until it prints a line that begins so, after the last one that was waited for; with an empty `prefix` for a first byte.
    /// Returns the nanoseconds from before the fork.
    ///
    /// - Parameter timeout: seconds from now.
    @discardableResult
    func waitForLine(_ prefix: String, timeout: Int) throws -> UInt64 {
        let deadline = Clock.now + UInt64(timeout) * 1_000_000_000
        while true {
            if let end = Self.endOfLine(beginning: prefix, in: text) {
                let elapsed = Clock.now - start
                text.removeFirst(end)
                return elapsed
            }
            guard !child.hasEnded else {
                throw BenchmarkError("\(command.line): ended before it printed \"\(prefix)\"\n\(try errors.text())")
            }
            if try runner.waitForNews(of: command, on: [output.read.raw], until: deadline)[0] { text += try read() }
        }
    }

    /// Waits until it ends by itself, whatever it prints.
    func waitForEnd(status: Int32, timeout: Int) throws {
        let deadline = Clock.now + UInt64(timeout) * 1_000_000_000
        while !child.hasEnded {
            if try runner.waitForNews(of: command, on: [output.read.raw], until: deadline)[0] { try drain() }
        }
        guard child.status == status else {
            throw BenchmarkError("\(command.line): ended with status \(child.status), expected \(status)\n\(try errors.text())")
        }
    }

    /// Reads and forgets what `outputRaw` has.
    func drain() throws { _ = try read() }

    private func read() throws -> ArraySlice<UInt8> {
        let count = try chunk.withUnsafeMutableBytes { try output.read.read(into: $0) }
        return chunk[..<count]
    }

    private static func write(_ text: String, to input: borrowing Pipe, of command: Command) throws {
        var text = text
        do {
            try text.withUTF8 { try input.write.writeAll(UnsafeRawBufferPointer($0)) }
        } catch {
            throw BenchmarkError("\(command.line): its input: \(error)")
        }
    }

    /// Where that prefix ends, in the first line that has it.
    private static func endOfLine(beginning prefix: String, in bytes: [UInt8]) -> Int? {
        let line = bytes.split(whereSeparator: { $0 == 10 || $0 == 13 }).first { $0.starts(with: prefix.utf8) }
        return line.map { $0.startIndex + prefix.utf8.count }
    }
}
