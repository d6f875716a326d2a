import Glibc
import LinuxSystem

/// svmm-engine as a program, with a store of its own, and its streams in files: nobody has to read them while it runs.
final class EngineProcess: Sendable {
    let directory: String
    private static let program: String = {
        if let folder = getenv("SVMM_BIN") { return String(cString: folder) + "/svmm-engine" }
        let path = (try? CurrentProcess.executablePath()) ?? "."
        // SwiftPM builds it beside the tests.
        return (path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".") + "/svmm-engine"
    }()

    struct Finished {
        var status: Int32
        var output: String
        var errors: String
    }

    init() throws {
        directory = "/tmp/svmm-words-\(CurrentProcess.identifier)-\(UInt32.random(in: 0 ... .max))"
        try makeDirectory(directory, permissions: 0o700)
    }

    deinit { try? removeTree(directory) }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    func read(_ name: String) -> String? { contents(ofSmallFile: path(name)).map { String(decoding: $0, as: UTF8.self) } }

    func file(_ name: String, _ text: String) throws -> String {
        try replaceFile(path(name), with: Array(text.utf8), permissions: 0o644)
        return path(name)
    }

    /// - Parameter output: where standard output goes instead.
    func start(_ words: [String], input: String = "", output: String? = nil) throws -> Subprocess {
        let input = try FileDescriptor.open(try file("input", input), .readOnly)
        let output = try FileDescriptor.open(output ?? path("output"), [.writeOnly, .create, .truncate])
        let errors = try FileDescriptor.open(path("errors"), [.writeOnly, .create, .truncate])
        return try Subprocess(Self.program, arguments: [Self.program] + words, descriptors: [input.raw, output.raw, errors.raw])
    }

    func run(_ words: [String], input: String = "", output: String? = nil) throws -> Finished {
        let status = try start(words + ["--root", path("root")], input: input, output: output).wait()
        return Finished(status: status, output: read("output") ?? "", errors: read("errors") ?? "")
    }
}
