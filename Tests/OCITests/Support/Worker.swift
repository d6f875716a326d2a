import LinuxSystem
import ProcessSupport

/// The program image-worker, which SwiftPM builds beside the tests.
enum Worker {
    static let path: String = {
        let tests = (try? CurrentProcess.executablePath()) ?? "."
        return tests.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/image-worker"
    }()

    static func start(_ arguments: [String], input: ChildProcess.Input = .nothing) throws -> ChildProcess {
        try ChildProcess([path] + arguments, input: input)
    }
}
