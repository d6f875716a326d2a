import ArgumentParser
import LinuxSystem
import OCI

struct ImageCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "Pull, list, move and remove container images.",
        subcommands: [
            ImagePull.self, ImageList.self, ImageInspect.self, ImageRemove.self, ImageTag.self, ImageSave.self, ImageLoad.self,
            ImagePush.self, ImagePrune.self,
        ],
        aliases: ["images"]
    )
}

/// An image of the store by what a person calls it.
func storedImage(_ text: String, in store: ImageStore) throws(ImageError) -> StoredImage {
    guard let image = try store.resolve(text) else { throw .noSuchImage(text) }
    return image
}

struct ImageTag: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "tag", abstract: "Give an image more names.")

    @OptionGroup var storeOptions: StoreOptions

    @Argument(help: ArgumentHelp("Name or id of an image.", valueName: "image"))
    var image: String

    @Argument(help: ArgumentHelp("The new names.", valueName: "name"))
    var names: [String]

    func run() async throws {
        let store = try storeOptions.imageStore()
        let image = try storedImage(image, in: store)
        for name in try names.map({ text in try ImageReference(text) }) { try store.tag(image, as: name) }
    }
}

struct ImagePrune: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove images without a name, and what is left of others.",
        discussion: "Images that containers use stay."
    )

    @OptionGroup var storeOptions: StoreOptions

    @Flag(name: [.customShort("a"), .long], help: "Remove all images that no container uses.")
    var all = false

    @Flag(name: [.customShort("f"), .long], help: "Do not ask.")
    var force = false

    func run() async throws {
        let root = try storeOptions.directory()
        let store = try storeOptions.imageStore()
        let what = all ? "all images that no container uses" : "all images without a name"
        guard try force || Prompt.confirm("This removes \(what).") else { return }
        let use = try ImageUse.find(root: root)
        for image in try store.list() where (all || image.names.isEmpty) && use.users(of: image).isEmpty {
            if try store.remove(image) { printLine(image.id.hex) }
        }
        let collected = try use.collectGarbage(in: store)
        printLine("Total reclaimed space: \(ByteCount.text(collected.bytes))")
    }
}
