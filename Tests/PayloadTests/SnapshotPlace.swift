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

    /// What is in it: what a command has left behind too.
    var names: [String] { directoryEntries(directory.path) }

    /// Starts a payload in the state directory `vm`, and waits until it has said that it is there.
    func start(
        _ payload: String, _ words: String, says text: String, memory: String = "64M", _ options: [String] = []
    ) throws -> ChildProcess {
        let machine = try Svmm.start(payload, words, ["--memory", memory, "--grace", "60", "--state", path("vm")] + options)
        try machine.output.wait(for: text)
        return machine
    }

    /// A guest that polls its power button, with a word in each of its pages.
    func waiting(_ options: [String] = [], memory: String = "64M", fill: String = "8M") throws -> ChildProcess {
        try start("power", "power.mode=button power.fill=\(fill)", says: "power: waiting", memory: memory, options)
    }

    /// Runs `svmm` to its end.
    func run(_ words: String...) throws -> Finished { try run(words) }

    func run(_ words: [String]) throws -> Finished { try Finished(ChildProcess([Svmm.path] + words)) }

    /// `svmm snapshot`, which must succeed without a word.
    func save(_ state: String = "vm", as name: String, _ options: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
        let finished = try run(["snapshot", path(state), path(name)] + options)
        try #require(finished.end == .exited(0) && finished.errors.isEmpty, "svmm snapshot: \(finished.end), \(finished.errors)",
                     sourceLocation: sourceLocation)
    }

    /// Saves a machine with its end.
    ///
    /// - Returns: what it has printed.
    func stop(
        _ machine: ChildProcess, _ state: String = "vm", as name: String, base: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let words = ["snapshot", path(state), path(name), "--stop"] + (base.map { ["--base", path($0)] } ?? [])
        let command = try run(words)
        try #require(command.end == .exited(0) && command.errors.isEmpty, "svmm snapshot: \(command.end), \(command.errors)",
                     sourceLocation: sourceLocation)
        let finished = try Finished(machine)
        #expect(finished.end == .exited(0), "\(finished.errors)", sourceLocation: sourceLocation)
        #expect(finished.errorLines == ["svmm: saved in \(path(name))"], sourceLocation: sourceLocation)
        #expect(access(path(state), F_OK) != 0, "the state directory is still there", sourceLocation: sourceLocation)
        return String(decoding: finished.output, as: UTF8.self)
    }

    /// Starts `svmm restore`, and waits until the machine can be asked.
    func restore(_ name: String, state: String = "vm", _ options: String...) throws -> ChildProcess {
        let machine = try ChildProcess([Svmm.path, "restore", path(name), "--state", path(state)] + options)
        try waitUntil("the restored machine can be asked") {
            if machine.hasEnded { throw SetUpError("svmm restore has ended: \(try machine.errors.wholeText())") }
            return try run("stats", path(state)).end == .exited(0)
        }
        return machine
    }

    /// As `refusal(of:)`: of `svmm restore`, with these disks.
    func refusal(_ name: String, disks: [String] = [], status: Int32 = 1, _ line: String,
                 sourceLocation: SourceLocation = #_sourceLocation) throws {
        let words = ["restore", path(name), "--state", path("refused")] + disks.flatMap { ["--disk", $0] }
        try refusal(of: words, status: status, line, sourceLocation: sourceLocation)
    }

    /// A command that has to fail with this one line (a pattern, glob(7)), and to leave everything as it was.
    func refusal(of words: [String], status: Int32 = 1, _ line: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let before = try tree()
        let finished = try run(words)
        #expect(finished.end == .exited(status), "\(words)", sourceLocation: sourceLocation)
        #expect(matches(finished.errorLines, ["svmm: " + line]), "\(words): \(finished.errors)", sourceLocation: sourceLocation)
        #expect(finished.output.isEmpty, "\(words)", sourceLocation: sourceLocation)
        #expect(try tree() == before, "\(words)", sourceLocation: sourceLocation)
    }

    /// All names below it, and how long the files are.
    private func tree() throws -> [String] {
        try Finished(ChildProcess(["find", directory.path, "-printf", "%P %y %s\n"])).lines.sorted()
    }

    /// Presses a machine's power button and waits for its end.
    func pressButton(of machine: ChildProcess, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        machine.signal(SIGTERM)
        let finished = try Finished(machine)
        #expect(finished.end == .exited(0), sourceLocation: sourceLocation)
        #expect(finished.errorLines == [
            "svmm: SIGTERM: pressed the power button; killing the guest in 60 s", "svmm: the guest powered off",
        ], sourceLocation: sourceLocation)
        return String(decoding: finished.output, as: UTF8.self)
    }

    /// Bytes of a file that are no holes.
    func allocatedBytes(_ name: String) throws -> Int {
        var status = stat()
        guard stat(path(name), &status) == 0 else { throw SetUpError("\(path(name)): \(Errno.current)") }
        return Int(status.st_blocks) * 512
    }

    /// Copies a snapshot, to be damaged.
    func copy(_ name: String, as other: String) throws {
        let copy = try ChildProcess(["cp", "-a", "--sparse=always", path(name), path(other)])
        try #require(try copy.waitForEnd() == .exited(0), "\(copy.errors.text)")
    }
}
