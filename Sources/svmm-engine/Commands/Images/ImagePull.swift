import ArgumentParser
import CommandSupport
import LinuxSystem
import OCI
import Registry

struct ImagePull: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Bring images into the store.",
        discussion: """
            IMAGE is [REGISTRY/]REPOSITORY[:TAG][@DIGEST], completed to docker.io, library and latest; or oci:DIR[:NAME], \
            oci-archive:FILE[:NAME] or docker-archive:FILE[:NAME]. Prints the ids of the images.
            """
    )

    @OptionGroup var storeOptions: StoreOptions
    @OptionGroup var platformOption: PlatformOption
    @OptionGroup var unpackOption: UnpackOption
    @OptionGroup var access: RegistryAccessOptions

    @Option(help: ArgumentHelp("When the registry is asked.", valueName: "always|missing|newer|never"),
            transform: { text in
                guard let policy = PullPolicy(rawValue: text) else { throw Expected("always, missing, newer or never") }
                return policy
            })
    var policy = PullPolicy.always

    @Flag(name: [.customShort("q"), .long], help: "Show no progress.")
    var quiet = false

    @Argument(help: ArgumentHelp("What to pull.", valueName: "image"))
    var images: [String]

    func run() async throws {
        let store = try storeOptions.imageStore()
        for text in images {
            if let source = ImageSource(text) {
                let images = try store.load(source, platform: platformOption.platform, maximumSize: unpackOption.maxUnpacked)
                for image in images { printLine(image.id.hex) }
                continue
            }
            let reference = try ImageReference(withoutTransport(text))
            var options = PullOptions(registry: try access.registryOptions())
            options.platform = platformOption.platform
            options.policy = policy
            let display = TransferDisplay(title: "Pulling \(reference.familiar)", isQuiet: quiet)
            let image = try await display.showing { progress in
                try await store.pull(reference, options: options, progress: progress)
            }
            printLine(image.id.hex)
        }
    }
}

/// An image's name without the `docker://` that skopeo and podman have before it.
func withoutTransport(_ text: String) -> String {
    let transport = "docker://"
    return text.hasPrefix(transport) ? String(text.dropFirst(transport.count)) : text
}

struct ImagePush: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Put an image of the store into a registry.",
        discussion: "Without DESTINATION it goes where its name says."
    )

    @OptionGroup var storeOptions: StoreOptions
    @OptionGroup var access: RegistryAccessOptions

    @Option(help: ArgumentHelp("Write the manifest's digest there.", valueName: "file"))
    var digestfile: String?

    @Flag(name: [.customShort("q"), .long], help: "Show no progress.")
    var quiet = false

    @Argument(help: ArgumentHelp("Name or id of an image.", valueName: "image"))
    var image: String

    @Argument(help: ArgumentHelp("[REGISTRY/]REPOSITORY[:TAG]", valueName: "destination"))
    var destination: String?

    func run() async throws {
        let store = try storeOptions.imageStore()
        let found = try storedImage(image, in: store)
        let target: ImageReference
        if let destination {
            target = try ImageReference(withoutTransport(destination))
        } else {
            // An id is not where an image goes.
            guard let name = try? ImageReference(image), found.names.contains(name) else { throw NoDestination(image: image) }
            target = name
        }
        let display = TransferDisplay(title: "Pushing \(target.familiar)", isQuiet: quiet)
        let options = try access.registryOptions()
        try await display.showing { progress in
            try await store.push(found, to: target, options: options, progress: progress)
        }
        if let digestfile {
            do throws(Errno) {
                try replaceFile(digestfile, with: Array("\(found.manifest.digest)".utf8), permissions: 0o644)
            } catch {
                throw ImageError.file(path: digestfile, error)
            }
        }
    }

    private struct NoDestination: Error, CustomStringConvertible {
        let image: String

        var description: String { "\(image): give the destination: only names say where an image goes" }
    }
}
