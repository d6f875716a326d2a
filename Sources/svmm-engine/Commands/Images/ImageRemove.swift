import ArgumentParser
import LinuxSystem
import OCI

struct ImageRemove: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Remove images.",
        discussion: """
            A name is taken from its image; with the last name the image goes. An image given by its id goes with all its names, \
            if it has no more than one or --force is given. Images that containers use stay.
            """,
        aliases: ["rmi", "remove", "delete"]
    )

    @OptionGroup var storeOptions: StoreOptions

    @Flag(name: [.customShort("a"), .long], help: "Remove all images that no container uses.")
    var all = false

    @Flag(name: [.customShort("f"), .long],
          help: "Also images with several names by their id; images that are not there are no error.")
    var force = false

    @Argument(help: ArgumentHelp("Names or ids of images.", valueName: "image"))
    var images: [String] = []

    func validate() throws {
        if all, !images.isEmpty { throw ValidationError("--all and images exclude each other") }
        if !all, images.isEmpty { throw ValidationError("expected images or --all") }
    }

    func run() async throws {
        let root = try storeOptions.directory()
        let store = try storeOptions.imageStore()
        let use = try ImageUse.find(root: root)
        var failure: (any Error)?
        if all {
            for image in try store.list() where use.users(of: image).isEmpty { try remove(image, from: store) }
        }
        for text in images {
            // One that cannot be removed does not keep the others.
            do {
                try remove(text, from: store, use)
            } catch {
                if let failure { printErrorLine("svmm: \(failure)") }
                failure = error
            }
        }
        _ = try use.collectGarbage(in: store)
        if let failure { throw failure }
    }

    private func remove(_ text: String, from store: ImageStore, _ use: ImageUse) throws {
        let found: StoredImage?
        do {
            found = try store.resolve(text)
        } catch {
            // What is damaged can be removed by its name.
            guard let name = try? ImageReference(text), let digest = try store.manifestDigest(of: name) else { throw error }
            let users = use.containers.filter { $0.manifest == digest }.map(\.name)
            guard users.isEmpty else { throw Failure(description: "\(text): used by container \(users.joined(separator: ", "))") }
            if try store.remove(name) { printLine("Untagged: \(name)") }
            return
        }
        guard let image = found else {
            if force { return }
            throw ImageError.noSuchImage(text)
        }
        let name = try? ImageReference(text)
        if let name, image.names.contains(name), image.names.count > 1 {
            if try store.remove(name) { printLine("Untagged: \(name)") }
            return
        }
        let users = use.users(of: image)
        guard users.isEmpty else {
            throw Failure(description: "\(image.title): used by container \(users.joined(separator: ", "))")
        }
        guard force || image.names.count < 2 else {
            let names = image.names.map(\.familiar).joined(separator: ", ")
            throw Failure(description: "\(text): the image has several names (\(names)): remove them one by one, or give --force")
        }
        try remove(image, from: store)
    }

    private func remove(_ image: StoredImage, from store: ImageStore) throws {
        guard try store.remove(image) else { return }
        for name in image.names { printLine("Untagged: \(name)") }
        printLine("Deleted: \(image.id.hex)")
    }

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }
}
