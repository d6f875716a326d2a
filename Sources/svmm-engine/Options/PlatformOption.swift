import ArgumentParser
import OCI

struct PlatformOption: ParsableArguments {
    @Option(help: ArgumentHelp("The platform to take of an image for several.", valueName: "os/arch[/variant]"),
            transform: { text in try Platform(text) })
    var platform = Platform.host
}
