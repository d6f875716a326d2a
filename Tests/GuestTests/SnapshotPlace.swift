import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

/// A directory for machines and their snapshots, removed with all that is in it.
final class SnapshotPlace: Sendable {
    let directory = TemporaryDirectory()

    deinit { try? removeTree(directory.path) }

    func path(_ name: String) -> String { directory.path(name) }

    /// For `svmm boot`. The grace is for a guest in the rig, which may take long over its end.
    func options(_ state: String = "vm") -> [String] { ["--state", path(state), "--grace", "600"] }

    /// Runs `svmm` to its end, which must be a good one; what it printed.
    @discardableResult
    static func run(_ words: [String]) throws -> String {
        let process = try ChildProcess([Guest.svmm] + words)
        let end = try process.waitForEnd()
        let errors = try process.errors.wholeText()
        guard end == .exited(0), errors.isEmpty else { throw SnapshotFailure("svmm \(words.joined(separator: " ")): \(end), \(errors)") }
        return try process.output.wholeText()
    }

    /// Saves a machine with its end.
    ///
    /// - Returns: what its guest has said.
    func stop(_ process: ChildProcess, _ state: String = "vm", as name: String, base: String? = nil) throws -> String {
        let options = base.map { ["--base", path($0)] } ?? []
        do {
            try Self.run(["snapshot", path(state), path(name), "--stop"] + options)
        } catch {
            throw SnapshotFailure("\(error); the guest: \(process.output.text.suffix(500))")
        }
        let finished = try Finished(process)
        guard finished.end == .exited(0), finished.errors == "svmm: saved in \(path(name))\n" else {
            throw SnapshotFailure("\(name): the machine ended with \(finished.end), \(finished.errors)")
        }
        return finished.console
    }

    /// Starts `svmm restore`.
    func restore(_ name: String, _ options: [String]? = nil, input: ChildProcess.Input = .nothing) throws -> ChildProcess {
        try ChildProcess([Guest.svmm, "restore", path(name)] + (options ?? ["--state", path("vm")]), input: input)
    }

    /// The figures of `svmm stats`, by name.
    static func statistics(_ machine: String) throws -> [String: Int] {
        let pairs = try run(["stats", machine]).split(separator: "\n").compactMap { line -> (String, Int)? in
            let words = line.split(separator: ": ")
            return words.count == 2 ? Int(words[1]).map { (String(words[0]), $0) } : nil
        }
        return Dictionary(pairs) { $1 }
    }
}

struct SnapshotFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A guest that does what typed lines say and answers each (Tools/guest/Commands.swift), also when it goes on in another process.
final class TypedGuest {
    private var commands: TypedCommands
    var process: ChildProcess { commands.process }

    /// One that boots: waits until it listens.
    init(booting process: ChildProcess) throws {
        commands = TypedCommands(process)
        try commands.begin()
    }

    /// One that was saved as `guest` was then.
    init(restored process: ChildProcess, from guest: TypedGuest) {
        commands = TypedCommands(process, count: guest.commands.count)
    }

    /// The same, in another process from now on.
    func move(to process: ChildProcess) { commands = TypedCommands(process, count: commands.count) }

    /// Says what is to be done, and does not wait; one at a time.
    func start(_ command: String) throws { try commands.start(command) }

    /// Waits for the answer to the last command.
    func answer() throws -> String { try commands.answer() }

    func tell(_ command: String) throws -> String {
        try start(command)
        return try answer()
    }

    /// The number or word behind `key=` in the answer.
    func tell(_ command: String, for key: String) throws -> String {
        let answer = try tell(command)
        let word = answer.split(separator: " ").first { $0.hasPrefix(key + "=") }
        guard let word else { throw SnapshotFailure("'\(command)' was answered '\(answer)', expected \(key)=…") }
        return String(word.dropFirst(key.count + 1))
    }

    func expect(_ command: String, _ expected: String = "ok", sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try tell(command) == expected, "\(command)", sourceLocation: sourceLocation)
    }

    /// Has it power off.
    func quit() throws -> Finished {
        try process.send("quit\n")
        return try Finished(process)
    }
}
