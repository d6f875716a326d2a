import ArgumentParser
import CommandSupport
import LinuxSystem
import OCI
import Registry

struct ImageList: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List the images of the store.",
        aliases: ["list"]
    )

    enum Format: String, CaseIterable {
        case table
        case json
    }

    @OptionGroup var storeOptions: StoreOptions

    @Option(help: ArgumentHelp("How to print them.", valueName: "table|json"),
            transform: { text in
                guard let format = Format(rawValue: text) else { throw Expected("table or json") }
                return format
            })
    var format = Format.table

    @Flag(name: [.customShort("q"), .long], help: "Print ids only.")
    var quiet = false

    @Flag(help: "Print the manifests' digests too.")
    var digests = false

    @Flag(help: "Print ids in full.")
    var noTrunc = false

    @Flag(name: [.customShort("n"), .long], help: "Print no heading.")
    var noheading = false

    @Argument(help: ArgumentHelp("Only images of this name, with or without a tag.", valueName: "repository[:tag]"))
    var name: String?

    func run() async throws {
        let store = try storeOptions.imageStore()
        var images = try store.list { printErrorLine("svmm: \($0)") }
        let isWanted = try nameFilter()
        if name != nil { images = images.filter { $0.names.contains(where: isWanted) } }
        if quiet {
            var seen: Set<Digest> = []
            for image in images where seen.insert(image.id).inserted { printLine(noTrunc ? "\(image.id)" : image.id.short) }
            return
        }
        switch format {
        case .json: printLine(JSONValue.array(images.map(\.summary)).prettyText)
        case .table: for line in table(images, isWanted).lines { printLine(line) }
        }
    }

    /// Which names are meant. Without a tag all tags are.
    private func nameFilter() throws(ImageError) -> (ImageReference) -> Bool {
        guard let name else { return { _ in true } }
        let wanted = try ImageReference(name)
        let hasTag = wanted.digest != nil || name.hasSuffix(":\(wanted.tag ?? "")")
        return { hasTag ? $0 == wanted : $0.name == wanted.name }
    }

    private func table(_ images: [StoredImage], _ isWanted: (ImageReference) -> Bool) -> TextTable {
        let now = Int64(Clock.realTimeNanoseconds() / 1_000_000_000)
        let heading = ["REPOSITORY", "TAG"] + (digests ? ["DIGEST"] : []) + ["IMAGE ID", "CREATED", "SIZE"]
        var table = TextTable(noheading ? nil : heading)
        for image in images {
            let id = noTrunc ? "\(image.id)" : image.id.short
            let digest = digests ? ["\(image.manifest.digest)"] : []
            let age = image.configuration.created.flatMap { ImageDate($0) }?.age(now: now) ?? "unknown"
            var names = image.names.filter(isWanted).map { [$0.name, $0.tag ?? "<none>"] }
            if image.names.isEmpty { names = [["<none>", "<none>"]] }
            for name in names { table.add(name + digest + [id, age, ByteCount.text(image.size)]) }
        }
        return table
    }
}

struct ImageInspect: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Print all that is known of images, as JSON.")

    @OptionGroup var storeOptions: StoreOptions

    @Argument(help: ArgumentHelp("Names or ids of images.", valueName: "image"))
    var images: [String]

    func run() async throws {
        let store = try storeOptions.imageStore()
        var found: [JSONValue] = []
        for text in images {
            let image = try storedImage(text, in: store)
            let bytes = try store.readBlob(image.content.config, limit: ImageLimits.configuration, image: image.title)
            found.append(image.details(configuration: JSONValue(json: bytes)))
        }
        printLine(JSONValue.array(found).prettyText)
    }
}

extension StoredImage {
    private var fields: [String: JSONValue] {
        [
            "Id": .string(id.hex),
            "Digest": .string(manifest.digest.description),
            "RepoTags": .array(names.filter { $0.tag != nil }.map { .string($0.description) }),
            "RepoDigests": .array(repositoryDigests.map { .string($0) }),
            "Size": .integer(Int64(clamping: size)),
            "Os": .string(configuration.os),
            "Architecture": .string(configuration.architecture),
        ]
    }

    /// Each repository that the image has a name in, with each digest that it was served by.
    private var repositoryDigests: [String] {
        var repositories: [String] = []
        for name in names where !repositories.contains(name.name) { repositories.append(name.name) }
        return repositories.flatMap { repository in digests.map { "\(repository)@\($0)" } }
    }

    /// For `svmm image ls --format json`.
    var summary: JSONValue {
        var fields = fields
        fields["Names"] = .array(names.map { .string($0.description) })
        fields["Labels"] = .object(configuration.config.labels.mapValues { .string($0) })
        if let created = configuration.created {
            fields["CreatedAt"] = .string(created)
            if let date = ImageDate(created) { fields["Created"] = .integer(date.seconds) }
        }
        return .object(fields)
    }

    /// For `svmm image inspect`: the configuration as it is, and what the store knows beside it.
    func details(configuration document: JSONValue?) -> JSONValue {
        var fields = fields
        fields["ManifestType"] = .string(manifest.mediaType)
        fields["Created"] = document?["created"] ?? .string("")
        fields["Author"] = document?["author"] ?? .string("")
        fields["Variant"] = document?["variant"]
        fields["Config"] = document?["config"] ?? .object([:])
        fields["History"] = document?["history"] ?? .array([])
        fields["Labels"] = document?["config"]?["Labels"] ?? .object([:])
        fields["RootFS"] = .object([
            "Type": .string("layers"),
            "Layers": .array(configuration.rootfs.diffIDs.map { .string($0.description) }),
        ])
        fields["Annotations"] = .object((content.annotations ?? [:]).mapValues { .string($0) })
        fields["Blobs"] = .array(content.layers.map { layer in
            .object(["Digest": .string(layer.digest.description), "MediaType": .string(layer.mediaType),
                     "Size": .integer(Int64(clamping: layer.size))])
        })
        return .object(fields)
    }
}
