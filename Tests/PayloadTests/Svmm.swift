import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

/// Everything here starts the real program. One test after the other: guests would slow each other down.
@Suite("svmm boot", .serialized)
struct SvmmBoot {}

/// The programs under test and the guests they run.
enum Svmm {
    /// The directory with svmm and svmm-vmm: $SVMM_BIN, else where the tests are, which SwiftPM builds beside them.
    static let folder = variable("SVMM_BIN") ?? testFolder
    static let path = folder + "/svmm"

    /// The directory of the payloads: $SVMM_PAYLOADS, else one in the build directory, where they are built first.
    static let payloads: Result<String, SetUpError> = {
        if let path = variable("SVMM_PAYLOADS") { return .success(path) }
        let target = testFolder + "/../../payloads"
        let tool = String(#filePath.prefix(upTo: #filePath.range(of: "/Tests/PayloadTests/"))) + "/Tools/payloads/build"
        do {
            let build = try ChildProcess([tool, target])
            let end = try build.waitForEnd()
            return end == .exited(0) ? .success(target) : .failure(SetUpError("\(tool): \(end): \(build.errors.text)"))
        } catch {
            return .failure(SetUpError("\(tool): \(error)"))
        }
    }()

    static func payload(_ name: String) throws -> String {
        "\(try payloads.get())/\(name).elf"
    }

    /// Starts `svmm boot` with these arguments.
    static func start(
        _ arguments: [String], input: ChildProcess.Input = .nothing, output: ChildProcess.Output = .captured
    ) throws -> ChildProcess {
        guard access(path, X_OK) == 0 else { throw SetUpError("\(path): \(Errno.current); set SVMM_BIN") }
        return try ChildProcess([path, "boot"] + arguments, input: input, output: output)
    }

    /// Starts a payload with words for its command line.
    static func start(
        _ name: String, _ words: String = "", _ options: [String] = [],
        input: ChildProcess.Input = .nothing, output: ChildProcess.Output = .captured
    ) throws -> ChildProcess {
        try start(["--kernel", try payload(name), "--cmdline", words] + options, input: input, output: output)
    }

    /// Runs a payload to its end.
    static func run(_ name: String, _ words: String = "", _ options: [String] = []) throws -> Finished {
        try Finished(start(name, words, options))
    }

    private static func variable(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        return String(cString: value)
    }

    private static let testFolder: String = {
        let path = (try? CurrentProcess.executablePath()) ?? "."
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }()
}

struct SetUpError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension String {
    fileprivate func range(of text: String) -> Index {
        var place = startIndex
        while place < endIndex, !self[place...].hasPrefix(text) { place = index(after: place) }
        return place
    }
}

/// A process that has ended and what it said.
struct Finished {
    let end: ProcessEnd
    let output: [UInt8]
    let errors: String

    init(_ process: ChildProcess) throws {
        end = try process.waitForEnd()
        output = try process.output.waitForEnd()
        errors = String(decoding: try process.errors.waitForEnd(), as: UTF8.self)
    }

    var lines: [String] { Self.lines(String(decoding: output, as: UTF8.self)) }
    var errorLines: [String] { Self.lines(errors) }

    static func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    }
}

/// Whether every line matches the pattern (glob(7)) at its place.
func matches(_ lines: [String], _ patterns: [String]) -> Bool {
    lines.count == patterns.count && zip(lines, patterns).allSatisfy { fnmatch($1, $0, 0) == 0 }
}

/// Checks how a guest ended: the status, and svmm's last word and nothing else on standard error.
func expect(
    _ finished: Finished, status: Int32 = 0, _ words: String = "the guest powered off",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(finished.end == .exited(status), sourceLocation: sourceLocation)
    #expect(finished.errorLines == ["svmm: \(words)"], sourceLocation: sourceLocation)
}
