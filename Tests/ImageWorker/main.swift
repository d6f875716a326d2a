// Works on a store of images in a process of its own, for tests that kill it, or run several at once.
//
//     image-worker ROOT load SOURCE      SOURCE as ImageSource has it, or a file, `-` for standard input
//     image-worker ROOT unpack NAME      a line for each mebibyte that is read
//     image-worker ROOT tag NAME NEW     gives an image another name
//     image-worker ROOT collect          collects garbage
import Glibc
import LinuxSystem
import OCI

let arguments = CommandLine.arguments
do {
    guard arguments.count >= 3 else { throw ImageError.noSuchImage("usage: see the source") }
    let store = try ImageStore(root: arguments[1])
    switch (arguments[2], arguments.dropFirst(3).first) {
    case ("load", let source?):
        for image in try store.load(ImageSource(source) ?? .archive(path: source, name: nil)) { printLine("\(image.id)") }
    case ("unpack", let name?):
        guard let image = try store.resolve(name) else { throw ImageError.noSuchImage(name) }
        printLine("begun")
        let root = try store.rootImage(for: image) { printLine("\($0.done) of \($0.total)") }
        printLine(root.path)
    case ("tag", let name?):
        guard let image = try store.resolve(name) else { throw ImageError.noSuchImage(name) }
        try store.tag(image, as: try ImageReference(arguments[4]))
    case ("collect", nil):
        printLine("\(try store.collectGarbage())")
    default:
        throw ImageError.noSuchImage("usage: see the source")
    }
} catch {
    printErrorLine("error: \(error)")
    exit(1)
}
