import FuzzTargets
import OCI
@testable import svmm

/// Targets of the programs around the monitor: the command line, and what registries send.
enum HostTargets {
    static let all = [commandLine, documents, references]

    /// `svmm boot` with words that mean something, and with others.
    private static let commandLine = FuzzTarget("command-line", maximumLength: 512) { input in
        let text = String(decoding: input.rest(), as: UTF8.self)
        // Parsing has no effects; each option takes its word apart.
        let words = text.split(separator: "\n", omittingEmptySubsequences: false).prefix(40).map(Self.word)
        _ = try? SVMM.parseAsRoot(SVMM.withEmptyValues(["boot", "--kernel", "k"] + words))
        _ = try? SVMM.parseAsRoot(SVMM.withEmptyValues(["boot"] + words))
    }

    private static let options = [
        "--disk", "--memory", "--cpus", "--share", "--share-root", "--net", "--publish", "--console", "--vsock", "--vsock-ports",
        "--cmdline", "--grace", "--name", "--state", "--rng-bps", "--balloon", "--on-reboot", "--protocol", "--initrd", "--dry-run",
    ]

    /// A word that begins with a control character is an option's name, or an option with its value in one.
    private static func word(_ text: Substring) -> String {
        guard let first = text.utf8.first, first < 0x20 else { return String(text) }
        let option = options[Int(first) % options.count]
        return text.utf8.count == 1 ? option : "\(option)=\(text.dropFirst())"
    }

    /// Manifests, indices and configurations: whatever they are, they are refused, or are what they are.
    private static let documents = FuzzTarget("oci-documents", maximumLength: 4096) { input in
        let bytes = input.rest()
        if case .image(let manifest)? = try? ManifestDocument(json: bytes, what: "manifest") { _ = manifest.blobs }
        _ = try? ImageIndex(json: bytes, what: "index")
        _ = try? ImageConfiguration(json: bytes, what: "configuration")
        _ = try? ImageManifest(json: bytes, what: "manifest")
    }

    /// Names of images: what is taken is written as a name that means the same.
    private static let references = FuzzTarget("oci-references", maximumLength: 300) { input in
        guard let reference = try? ImageReference(String(decoding: input.rest(), as: UTF8.self)) else { return }
        guard let again = try? ImageReference("\(reference)") else { violation("\(reference) is written as what is no name") }
        if again != reference { violation("\(reference) is read as \(again)") }
    }
}
