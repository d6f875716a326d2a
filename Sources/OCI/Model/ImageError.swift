import LinuxSystem

/// Why an image cannot be named, read, stored or unpacked: one line, for the person who typed the command.
public enum ImageError: Error, Equatable, Sendable, CustomStringConvertible {
    case invalidReference(String, reason: String)
    case invalidDigest(String, reason: String)
    case invalidPlatform(String)
    /// A JSON document of an image that is not what the image specification says.
    case invalidDocument(what: String, reason: String)
    case tooLarge(what: String, found: UInt64, limit: UInt64)
    case digestMismatch(what: String, expected: Digest, found: Digest)
    case sizeMismatch(what: String, expected: UInt64, found: UInt64)
    case noSuchPlatform(image: String, wanted: Platform, available: [String])
    case noSuchImage(String)
    /// The start of an identifier that several images have.
    case ambiguousImage(String, count: Int)
    /// A blob of the image is not in the store.
    case incompleteImage(String, missing: Digest)
    case unsupported(what: String, reason: String)
    /// A layer that cannot be applied; counted from 1.
    case invalidLayer(number: Int, count: Int, digest: Digest, reason: String)
    case invalidArchive(path: String, reason: String)
    case unpackedTooLarge(limit: UInt64)
    case noSpace(path: String)
    case file(path: String, Errno)

    public var description: String {
        switch self {
        case .invalidReference(let text, let reason):
            "invalid image name \(quoted(text)): \(reason)"
        case .invalidDigest(let text, let reason):
            "invalid digest \(quoted(text)): \(reason)"
        case .invalidPlatform(let text):
            "invalid platform \(quoted(text)): expected OS/ARCHITECTURE[/VARIANT], such as linux/amd64"
        case .invalidDocument(let what, let reason):
            "\(what): \(reason)"
        case .tooLarge(let what, let found, let limit):
            "\(what): \(found) bytes, at most \(limit) are taken"
        case .digestMismatch(let what, let expected, let found):
            "\(what): digest mismatch: expected \(expected), found \(found)"
        case .sizeMismatch(let what, let expected, let found):
            "\(what): expected \(expected) bytes, found \(found)"
        case .noSuchPlatform(let image, let wanted, let available):
            "\(image): no image for \(wanted)" + (available.isEmpty ? "" : "; there are \(available.joined(separator: ", "))")
        case .noSuchImage(let text):
            "no such image: \(quoted(text))"
        case .ambiguousImage(let text, let count):
            "\(quoted(text)) is the start of \(count) image ids: give more of it"
        case .incompleteImage(let image, let missing):
            "\(image): incomplete: \(missing) is not in the store; pull or load the image again"
        case .unsupported(let what, let reason):
            "\(what): \(reason)"
        case .invalidLayer(let number, let count, let digest, let reason):
            "layer \(number) of \(count) (\(digest.short)): \(reason)"
        case .invalidArchive(let path, let reason):
            "\(path): \(reason)"
        case .unpackedTooLarge(let limit):
            "the image unpacks to more than \(limit) bytes; raise --max-unpacked if it is meant to"
        case .noSpace(let path):
            "\(path): no space left on the file system; free some, or put the store elsewhere with --root"
        case .file(let path, let error):
            "\(path): \(error)"
        }
    }

    /// The error of a system call on a file: a full file system has its own text.
    init(_ path: String, _ error: Errno) {
        self = error == .noSpace || error == .quotaExceeded ? .noSpace(path: path) : .file(path: path, error)
    }
}

extension Errno {
    static let quotaExceeded = Errno(rawValue: 122)  // EDQUOT
}

/// Text from outside for a message: in quotes, one line, not endless, no control characters.
func quoted(_ text: some StringProtocol) -> String {
    let limit = 200
    var shown = ""
    for scalar in text.unicodeScalars.prefix(limit) {
        shown += scalar.properties.generalCategory == .control || scalar == "\"" ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return "\"\(shown)\(text.unicodeScalars.count > limit ? "…" : "")\""
}

/// As `quoted`, of bytes that need not be UTF-8: names in layers.
func quoted(_ bytes: some Collection<UInt8>) -> String {
    quoted(String(decoding: bytes, as: UTF8.self))
}
