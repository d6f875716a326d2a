import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import Synchronization

struct ContainerCreate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a container that can be started; print its id.", helpNames: .long)

    @OptionGroup var options: ContainerOptions

    func run() async throws {
        let request = try asUsage { () throws(Expected) in try options.request }
        let file = try IdentifierFile(options.cidfile)
        try await Engine.run(options.store, failing: file.discard) { engine in
            let image = try await engine.prepare(request.image, options.image)
            let record = try await engine.runtime.create(request, from: image)
            try file.write(record.identifier)
            file.keep()
            printLine(record.identifier)
            return 0
        }
    }
}

/// The file of `--cidfile`, made before the container.
struct IdentifierFile: Sendable {
    private let path: String?
    private let isKept = Flag()

    private final class Flag: Sendable {
        let value = Atomic<Bool>(false)
    }

    init(_ path: String?) throws {
        self.path = path
        guard let path else { return }
        do throws(Errno) {
            _ = try FileDescriptor.open(path, [.writeOnly, .create, .exclusive], permissions: 0o644)
        } catch {
            let reason = error == .exists ? "it exists already, expected none; is the container running?" : "\(error)"
            throw ContainerError(.invalid, "--cidfile \(path): \(reason)")
        }
    }

    /// There is a container.
    func keep() { isKept.value.store(true, ordering: .releasing) }

    /// Removes the file, unless there is a container.
    func discard() {
        guard let path, !isKept.value.load(ordering: .acquiring) else { return }
        try? removeFile(path)
    }

    func write(_ identifier: String) throws(ContainerError) {
        guard let path else { return }
        do throws(Errno) {
            let file = try FileDescriptor.open(path, [.writeOnly, .truncate])
            guard Array(identifier.utf8).withUnsafeBytes({ writeWhatFits(file.raw, $0) }) == identifier.utf8.count else { throw .ioError }
        } catch {
            throw ContainerError(.failed, "--cidfile \(path): \(error)")
        }
    }
}

/// An option's error as one of usage.
func asUsage<Result>(_ body: () throws(Expected) -> Result) throws -> Result {
    do throws(Expected) {
        return try body()
    } catch {
        throw ValidationError(error.description)
    }
}
