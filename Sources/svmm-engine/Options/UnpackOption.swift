import ArgumentParser
import CommandSupport
import OCI

struct UnpackOption: ParsableArguments {
    @Option(help: ArgumentHelp("What an image may unpack to, or an archive have in it; more is an error. (default: 64g)", valueName: "size"),
            transform: { try UnpackOption.size($0) })
    var maxUnpacked = ImageStore.defaultMaximumUnpacked

    private static func size(_ text: String) throws(Expected) -> UInt64 {
        let bytes = try Sizes.bytes(text, "a size such as 20g")
        guard bytes > 0 else { throw Expected("a size above 0, found '\(text)'") }
        return bytes
    }
}
