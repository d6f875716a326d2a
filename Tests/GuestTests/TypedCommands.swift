import ProcessSupport

/// Lines of text to a process that does what they say and answers each by one (Tools/guest/Commands.swift).
struct TypedCommands {
    let process: ChildProcess
    /// Of the last line.
    private(set) var count = 0
    /// Of the output, in bytes: where the last answer ended.
    private var place = 0

    /// - Parameter count: lines that were typed before, where the process goes on for another.
    init(_ process: ChildProcess, count: Int = 0) {
        self.process = process
        self.count = count
    }

    /// Waits until it listens, for the first time or again.
    mutating func begin() throws {
        place = try process.output.wait(for: "guest: ready", after: place)
        count = 0
    }

    /// Says what is to be done, and does not wait; one at a time.
    mutating func start(_ command: String) throws {
        count += 1
        try process.send(command + "\n")
    }

    /// Waits for the answer to the last command.
    mutating func answer() throws -> String {
        let start = try process.output.wait(for: "guest: #\(count) ", after: place)
        place = try process.output.wait(for: "\n", after: start)
        let line = process.output.bytes[start..<place].filter { $0 != UInt8(ascii: "\r") }
        return String(decoding: line.dropLast(), as: UTF8.self)
    }
}
