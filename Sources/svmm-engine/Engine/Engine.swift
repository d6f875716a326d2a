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

    init(_ options: StoreOptions) async throws {
        root = try options.directory()
        images = try ImageStore(root: root)
        runtime = try await ContainerRuntime(root: root, images: StoredImages(images))
    }

    /// Runs `body` with the engine. Ends the command with the status that `body` returns or its error has, after saying what went wrong.
    ///
    /// - Parameter failing: called where there is an error.
    static func run(
        _ options: StoreOptions, failing: () -> Void = {}, _ body: (Engine) async throws -> Int32
    ) async throws {
        let status: Int32
        do {
            status = try await body(try await Engine(options))
        } catch {
            failing()
            status = report(error)
        }
        if status != 0 { throw ExitCode(status) }
    }

    /// Says what went wrong, and gives the exit status.
    static func report(_ error: any Error) -> Int32 {
        if let error = error as? ExitCode { return error.rawValue }
        printErrorLine("svmm: \((error as? ValidationError)?.message ?? "\(error)")")
        return (error as? ContainerError)?.exitStatus ?? EngineStatus.failure
    }
}

extension Engine {
    /// The image that a container is to be made of: fetched, if need be, and unpacked.
    func prepare(_ name: String, _ options: ContainerImageOptions) async throws -> PreparedImage {
        let image = try await find(name, options)
        return try await StoredImages(images).prepare(image, name: name, maximumUnpacked: options.unpackOption.maxUnpacked)
    }

    private func find(_ name: String, _ options: ContainerImageOptions) async throws -> StoredImage {
        if let source = ImageSource(name) {
            let wanted = options.platformOption.platform
            guard let image = try images.load(source, platform: wanted, maximumSize: options.unpackOption.maxUnpacked).first else { throw ImageError.noSuchImage(name) }
            let found = image.configuration.platform
            guard wanted.accepts(found) else { throw ImageError.noSuchPlatform(image: name, wanted: wanted, available: ["\(found)"]) }
            return image
        }
        let platform = options.platformOption.platform
        if options.pull == .missing || options.pull == .never, let image = try images.resolve(name) {
            let found = image.configuration.platform
            if (found.os, found.architecture) == (platform.os, platform.architecture) { return image }
        }
        let reference = try ImageReference(withoutTransport(name))
        guard options.pull != .never else { throw ImageError.noSuchImage(reference.familiar) }
        var pull = PullOptions(registry: try options.connection.registryOptions())
        (pull.platform, pull.policy) = (platform, options.pull)
        let (images, request) = (images, pull)
        let display = TransferDisplay(title: "Pulling \(reference.familiar)", isQuiet: options.quiet)
        return try await display.showing { progress in try await images.pull(reference, options: request, progress: progress) }
    }
}
