import ArgumentParser
import Containers
import LinuxSystem
import OCI
import Registry

/// What every command about containers begins with.
struct Engine: Sendable {
    let root: String
    let images: ImageStore
    let runtime: ContainerRuntime

    /// - Parameter root: `--root`.
    init(root: String?) async throws {
        let root = try Self.root(root)
        images = try ImageStore(root: root)
        self.root = root
        runtime = try await ContainerRuntime(root: root, images: StoredImages(images))
    }

    private static func root(_ option: String?) throws -> String {
        if let option {
            guard !option.isEmpty else { throw ContainerError(.invalid, "--root: expected a directory, found nothing") }
            return try absolutePath(option)
        }
        if let variable = CurrentProcess.variable("SVMM_ROOT"), !variable.isEmpty {
            guard variable.hasPrefix("/") else { throw ContainerError(.invalid, "SVMM_ROOT=\(variable): expected an absolute path") }
            return variable
        }
        return try ContainerRuntime.defaultRoot()
    }

    /// Runs `body` with the engine, says what went wrong, and ends the process with the status that `body` returns or its error has.
    static func run(_ options: EngineOptions, _ body: @escaping @Sendable (Engine) async throws -> Int32) throws {
        let status = Self.wait {
            do {
                return try await body(try await Engine(root: options.root))
            } catch {
                return report(error)
            }
        }
        throw ExitCode(status)
    }

    /// Says what went wrong, and gives the exit status.
    static func report(_ error: any Error) -> Int32 {
        switch error {
        case let error as ExitCode: return error.rawValue
        case let error as ContainerError:
            printErrorLine("svmm: \(error)")
            return error.exitStatus
        case let error as ValidationError:
            printErrorLine("svmm: \(error.message)")
        default:
            printErrorLine("svmm: \(error)")
        }
        return 125
    }

    /// The main thread waits, so that it stays the process's.
    private static func wait(_ body: @escaping @Sendable () async -> Int32) -> Int32 {
        let result = Outcome()
        Task.detached { result.set(await body()) }
        return result.wait()
    }

    private final class Outcome: @unchecked Sendable {
        // Sound: `value` is written before the gate opens, and read after.
        private let gate = Gate()
        private var value: Int32 = 125

        func set(_ value: Int32) {
            self.value = value
            gate.open()
        }

        func wait() -> Int32 {
            gate.wait()
            return value
        }
    }
}

extension Engine {
    /// The image that a container is to be made of: fetched, if need be, and unpacked.
    func prepare(_ name: String, _ options: ImageOptions) async throws -> PreparedImage {
        let platform = if let text = options.platform { try Platform(text) } else { Platform.host }
        guard let policy = PullPolicy(rawValue: options.pull) else {
            throw ContainerError(.invalid, "--pull \(options.pull): expected missing, always, newer or never")
        }
        let image = try await find(name, platform, policy)
        return try await StoredImages(images).prepare(image, name: name)
    }

    private func find(_ name: String, _ platform: Platform, _ policy: PullPolicy) async throws -> StoredImage {
        if policy == .missing || policy == .never, let image = try images.resolve(name),
           platform.accepts(image.configuration.platform) { return image }
        var options = PullOptions(registry: try RegistryOptions())
        (options.platform, options.policy) = (platform, policy)
        return try await images.pull(try ImageReference(name), options: options)
    }
}
