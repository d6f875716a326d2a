import Glibc
import LinuxSystem
import OCI
import ProcessSupport
@testable import Registry
import Testing

/// Debian's docker-registry on a port of the loopback, ended with this object.
final class RealRegistry: Sendable {
    enum Kind: Sendable {
        case plain
        /// TLS by a certificate of an authority of the test's own, and the user alice with the password "secret".
        case guarded
    }

    let port: String
    let place: Workplace
    private let process: ChildProcess

    /// Starts one.
    static func start(_ kind: Kind) async throws -> RealRegistry {
        // What waits for other programs does so on a thread of its own: tasks have few.
        try await blocking { try RealRegistry(kind) }
    }

    private init(_ kind: Kind) throws {
        place = try Workplace()
        let path = place.path
        var text = """
            version: 0.1
            log: {level: info, accesslog: {disabled: true}}
            storage: {filesystem: {rootdirectory: \(path)/registry}, delete: {enabled: true}}
            http:
              addr: 127.0.0.1:0

            """
        if kind == .guarded {
            try Certificates.make(in: path)
            try Tool.runHere(["htpasswd", "-B", "-b", "-c", "\(path)/htpasswd", "alice", "secret"])
            text += """
                  tls: {certificate: \(path)/server.crt, key: \(path)/server.key}
                auth: {htpasswd: {realm: test, path: \(path)/htpasswd}}

                """
        }
        let configuration = try place.write(text, to: "config.yml")
        process = try ChildProcess([Tool.path("docker-registry"), "serve", configuration])
        let mark = "listening on 127.0.0.1:"
        let end = try process.errors.wait(for: mark)
        // The number is on the same line.
        try process.errors.wait(for: "\n", after: end)
        port = String(process.errors.text.components(after: mark).prefix { $0.isNumber })
    }

    /// By the address; the certificate is also good for `localhost`.
    var host: String { "127.0.0.1:\(port)" }
    /// The directory with ca.crt in it.
    var certificates: String { "\(place.path)/certificates" }
}

/// Programs that tests use.
enum Tool {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func path(_ name: String) -> String { findProgram(name) ?? "/usr/bin/\(name)" }

    /// Runs a program to its end; returns its output. A failure has its last words.
    @discardableResult
    static func run(_ arguments: [String]) async throws -> String {
        try await blocking { try runHere(arguments) }
    }

    @discardableResult
    static func runHere(_ arguments: [String]) throws -> String {
        let process = try ChildProcess([path(arguments[0])] + arguments.dropFirst())
        let end = try process.waitForEnd()
        let output = String(decoding: try process.output.waitForEnd(), as: UTF8.self)
        guard end == .exited(0) else { throw Failure(description: "\(arguments.joined(separator: " ")): \(end): \(process.errors.text.suffix(500))") }
        return output
    }

    static let svmm: String = {
        if let folder = getenv("SVMM_BIN") { return String(cString: folder) + "/svmm" }
        let own = (try? CurrentProcess.executablePath()) ?? "."
        return (own.lastIndex(of: "/").map { String(own[..<$0]) } ?? ".") + "/svmm"
    }()
}

/// How `svmm` ended and what it said.
struct Finished: Sendable {
    let end: ProcessEnd
    let output: String
    let errors: String

    init(_ process: ChildProcess) throws {
        end = try process.waitForEnd()
        output = String(decoding: try process.output.waitForEnd(), as: UTF8.self)
        errors = String(decoding: try process.errors.waitForEnd(), as: UTF8.self)
    }

    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

extension Workplace {
    /// The command line that runs `svmm` with this store and credentials of its own.
    func command(_ arguments: [String], environment: [String] = []) -> [String] {
        ["/usr/bin/env", "-u", "XDG_RUNTIME_DIR", "SVMM_ROOT=\(store.root)", "REGISTRY_AUTH_FILE=\(path)/auth.json", "SVMM_CONFIG_DIR=\(path)"]
            + environment + [Tool.svmm] + arguments
    }

    /// Runs `svmm` to its end, with this standard input.
    func svmm(_ arguments: String..., input: String? = nil, environment: [String] = []) async throws -> Finished {
        try await run(command(arguments, environment: environment), input: input)
    }

    func run(_ command: [String], input: String? = nil) async throws -> Finished {
        try await blocking {
            let process = try ChildProcess(command, input: input == nil ? .nothing : .pipe)
            if let input {
                try process.send(input)
                process.closeInput()
            }
            return try Finished(process)
        }
    }
}

extension Trait where Self == ConditionTrait {
    static func needs(_ programs: String...) -> Self {
        let missing = programs.filter { findProgram($0) == nil }
        return .enabled(if: missing.isEmpty, "not installed: \(missing.joined(separator: ", "))")
    }
}

extension String {
    /// What stands behind the last place of a text.
    func components(after mark: String) -> Substring {
        var rest = self[...]
        var found = rest[rest.endIndex...]
        while let first = rest.firstRange(of: mark) {
            rest = rest[first.upperBound...]
            found = rest
        }
        return found
    }
}
