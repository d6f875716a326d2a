import Glibc
import LinuxSystem
import ProcessSupport
import Testing

/// Containers with a kernel of svmm's own, from images that Tools/test-images made, in a store of their own.
enum Container {
    /// What a command said, and how it ended.
    struct Outcome {
        let status: Int32
        let output: [UInt8]
        let errors: String

        var text: String { String(decoding: output, as: UTF8.self) }
        var line: String { String(text.prefix { $0 != "\n" }) }

        init(_ process: ChildProcess) throws {
            status = switch try process.waitForEnd() {
            case .exited(let status): status
            case .killed(let signal): -signal
            }
            output = try process.output.waitForEnd()
            errors = String(decoding: try process.errors.waitForEnd(), as: UTF8.self)
        }
    }

    /// The variables that are missing; Tools/run-tests sets them.
    static let missingVariables = ["SVMM_AGENT", "SVMM_IMAGE_BUSYBOX", "SVMM_IMAGE_DEBIAN"].filter { variable($0).isEmpty }

    /// Where all that the containers leave behind is: the run's own directory, in memory.
    static let root: String = {
        let path = "/run/svmm-tests-\(CurrentProcess.identifier)"
        try? makeDirectory(path, permissions: 0o700)
        setenv("SVMM_ROOT", path + "/store", 1)
        return path
    }()

    static let busybox = image(variable("SVMM_IMAGE_BUSYBOX"), "busybox")
    static let debian = image(variable("SVMM_IMAGE_DEBIAN"), "debian")

    /// Brings an image of an OCI layout into the store, once; its name.
    private static func image(_ layout: String, _ tag: String) -> String {
        _ = root
        let source = "oci:\(layout):\(tag)"
        guard let process = try? ChildProcess([Guest.svmm, "image", "pull", "--quiet", source]),
              let outcome = try? Outcome(process), outcome.status == 0 else { return "image-of-\(tag)-that-could-not-be-pulled" }
        return source
    }

    /// Starts `svmm container …`.
    static func start(_ arguments: [String], input: ChildProcess.Input = .nothing) throws -> ChildProcess {
        _ = root
        return try ChildProcess([Guest.svmm, "container"] + arguments, input: input)
    }

    /// Runs `svmm container …` to its end.
    static func outcome(_ arguments: [String], input: [UInt8]? = nil) throws -> Outcome {
        let process = try start(arguments, input: input == nil ? .nothing : .pipe)
        if let input {
            try process.send(input)
            process.closeInput()
        }
        return try Outcome(process)
    }

    /// Runs `svmm container …`, which must succeed; what it printed.
    @discardableResult
    static func command(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let outcome = try outcome(arguments)
        #expect(outcome.status == 0, "svmm container \(arguments): \(outcome.errors)", sourceLocation: sourceLocation)
        return outcome.text
    }

    /// `svmm container run --rm` with the small image and no network.
    static func run(_ options: [String], _ command: [String], input: [UInt8]? = nil) throws -> Outcome {
        try outcome(["run", "--rm", "--network", "none"] + options + [busybox] + command, input: input)
    }

    /// A container in the background, removed at the end of the body.
    static func background<Result>(
        _ options: [String] = [], image: String = busybox, running command: [String], _ body: (String) throws -> Result
    ) throws -> Result {
        let network = options.contains("--network") ? [] : ["--network", "none"]
        let outcome = try outcome(["run", "-d"] + network + options + [image] + command)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let name = outcome.line
        defer { _ = try? self.outcome(["rm", "-f", name]) }
        return try body(name)
    }

    /// What is left of containers, on disk and among the processes; empty when nothing is.
    static func leftovers() throws -> [String] {
        let containers = directoryEntries(root + "/store/containers").filter { $0 != ".lock" }
        let sockets = directoryEntries("/run/svmm/containers")
        let monitors = directoryEntries("/proc").filter { name in
            UInt32(name) != nil && contents(ofSmallFile: "/proc/\(name)/comm").map { String(decoding: $0, as: UTF8.self) } == "svmm-vmm\n"
        }
        return containers.map { "container \($0)" } + sockets.map { "socket directory \($0)" } + monitors.map { "monitor \($0)" }
    }
}

extension Trait where Self == ConditionTrait {
    static var needsImages: Self {
        .enabled(if: Container.missingVariables.isEmpty,
                 "Tools/run-tests runs it, and sets \(Container.missingVariables.joined(separator: ", "))")
    }
}
