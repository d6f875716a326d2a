import ArgumentParser
import CommandSupport
import LinuxSystem
import OCI

struct ImageSave: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        abstract: "Write images to an archive.",
        discussion: "An OCI archive has the very bytes of the store, so that digests stay; Docker's format is for older programs."
    )

    @OptionGroup var storeOptions: StoreOptions

    @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Where to; - is standard output.", valueName: "file"))
    var output = "-"

    @Option(help: ArgumentHelp("What to write.", valueName: "oci-archive|docker-archive|oci-dir"),
            transform: { text in
                guard let format = ArchiveFormat(rawValue: text) else { throw Expected("oci-archive, docker-archive or oci-dir") }
                return format
            })
    var format = ArchiveFormat.ociArchive

    @Argument(help: ArgumentHelp("Names or ids of images.", valueName: "image"))
    var images: [String]

    func run() async throws {
        if output == "-" {
            guard format != .ociDirectory else { throw Failure(description: "--format oci-dir: give the directory by --output") }
            guard !isTerminal(1) else { throw Failure(description: "standard output is a terminal: give a file by --output") }
        }
        let store = try storeOptions.imageStore()
        var found: [StoredImage] = []
        for text in images { found.append(try storedImage(text, in: store)) }
        try store.save(found, as: format, to: output == "-" ? output : try absolutePath(output))
    }

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }
}

struct ImageLoad: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Bring the images of an archive into the store.",
        discussion: "OCI archives and those of `docker save`, plain or compressed with gzip or zstd."
    )

    @OptionGroup var storeOptions: StoreOptions
    @OptionGroup var platformOption: PlatformOption
    @OptionGroup var unpackOption: UnpackOption

    @Option(name: [.customShort("i"), .long],
            help: ArgumentHelp("The archive, or the directory of an OCI layout; - is standard input.", valueName: "file"))
    var input = "-"

    @Flag(name: [.customShort("q"), .long], help: "Print nothing.")
    var quiet = false

    func run() async throws {
        guard input != "-" || !isTerminal(0) else {
            throw Failure(description: "standard input is a terminal: give a file by --input")
        }
        let store = try storeOptions.imageStore()
        var isDirectory = false
        if input != "-", let status = try? fileStatus(at: input) { isDirectory = status.kind == .directory }
        let source: ImageSource = isDirectory ? .ociDirectory(path: input, name: nil) : .archive(path: input, name: nil)
        let images = try store.load(source, platform: platformOption.platform, maximumSize: unpackOption.maxUnpacked)
        for image in images where !quiet {
            for name in image.names { printLine("Loaded image: \(name)") }
            if image.names.isEmpty { printLine("Loaded image: \(image.id)") }
        }
    }

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }
}
