import AgentProtocol
import Glibc
import ProcessSupport
import Testing
import TestSupport

/// The disks of a container: an image with busybox in it, and an empty layer.
final class AgentImage {
    private let directory = TemporaryDirectory()
    let layer: String
    let image: String

    /// The image that most tests need, made once.
    private static let plain = Result { () throws in
        let directory = TemporaryDirectory()
        return (directory, try makeImage("", in: directory))
    }

    /// - Parameter additions: a script that adds to the image's tree, its working directory.
    init(_ additions: String = "") throws {
        layer = try directory.sparseFile("layer.ext4", size: 48 << 20)
        image = try additions.isEmpty ? Self.plain.get().1 : Self.makeImage(additions, in: directory)
        try SharedDisk.run("mke2fs -q -t ext4 \(layer)")
    }

    private static func makeImage(_ additions: String, in directory: TemporaryDirectory) throws -> String {
        let image = try directory.sparseFile("image.ext4", size: 48 << 20)
        let tree = directory.makeDirectory("tree")
        try SharedDisk.run("""
            set -e
            cd \(tree)
            mkdir -p bin etc home/alice tmp proc data
            chmod 755 .
            cp "$(command -v busybox)" bin/busybox
            bin/busybox --install bin
            printf 'root:x:0:0:root:/root:/bin/sh\\nalice:x:1000:1000::/home/alice:/bin/sh\\n' >etc/passwd
            printf 'root:x:0:\\nalice:x:1000:\\naudio:x:29:alice\\nvideo:x:44:\\n' >etc/group
            ln -s ../run/resolve/stub etc/resolv.conf
            printf '#!/nowhere/sh\\n' >bin/bad-script; printf '\\177ELF?' >bin/bad-format
            chmod 755 bin/bad-script bin/bad-format
            echo seed >data/file; chown 1000:29 data; chmod 750 data
            \(additions)
            mke2fs -q -t ext4 -O ^has_journal -d . \(image)
            cd / && rm -rf \(tree)
            """)
        return image
    }

    var options: [String] { ["--disk", "\(image),ro,serial=image", "--disk", "\(layer),serial=layer"] }

    var sandbox: SandboxConfiguration {
        SandboxConfiguration(hostname: "box", root: .init(imageDisk: "image", writableDisk: "layer"))
    }

    /// Whether the layer's file system was unmounted, and nothing is wrong with it.
    func expectCleanLayer(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try SharedDisk.run("dumpe2fs -h \(layer) 2>/dev/null | grep -q 'state: *clean$'", sourceLocation: sourceLocation)
        let features = try SharedDisk.run("dumpe2fs -h \(layer) 2>/dev/null | grep features:")
        #expect(!features.contains("needs_recovery"), sourceLocation: sourceLocation)
        try SharedDisk.run("e2fsck -fn \(layer)", sourceLocation: sourceLocation)
    }
}

extension Trait where Self == ConditionTrait {
    static var needsAgent: Self {
        .enabled(if: !variable("SVMM_AGENT").isEmpty, "Tools/run-tests runs it, and sets SVMM_AGENT")
    }
}
