import LinuxSystem
import OCI

/// Why a registry did not do what it was asked: one line, for the person who typed the command.
public enum RegistryError: Error, Equatable, Sendable, CustomStringConvertible {
    case invalidRegistry(String, reason: String)
    /// An authentication or configuration file that is not what it should be.
    case invalidFile(path: String, reason: String)
    case file(path: String, Errno)
    /// The registry has no repository or image of this name.
    case noSuchImage(ImageReference)
    /// The registry wants to know who asks, and nobody has told it.
    case notLoggedIn(registry: String, reason: String)
    /// The registry knows who asks, and does not like it.
    case refused(registry: String, user: String, reason: String)
    /// What a registry says about where to get a token cannot be trusted.
    case untrustedRealm(registry: String, realm: String, reason: String)
    case badRedirect(url: String, reason: String)
    case unreachable(String, reason: String)
    case tls(String, reason: String)
    case timedOut(String, what: String)
    case rateLimited(String, seconds: Int?)
    /// An answer that says what went wrong, or one that nobody expected.
    case failed(what: String, status: UInt, reason: String)
    /// An answer that is against the distribution specification.
    case invalidAnswer(what: String, reason: String)
    /// What arrived, or what lies on disk, is not right.
    case image(ImageError)
    case cancelled

    public var description: String {
        switch self {
        case .invalidRegistry(let text, let reason):
            "invalid registry \(quoted(text)): \(reason)"
        case .invalidFile(let path, let reason):
            "\(path): \(reason)"
        case .file(let path, let error):
            "\(path): \(error)"
        case .noSuchImage(let reference):
            "\(reference): no such image in the registry" + (reference.tag.map { _ in "; check name and tag" } ?? "")
        case .notLoggedIn(let registry, let reason):
            "\(registry): authentication needed: \(reason); log in with: svmm registry login \(registry)"
        case .refused(let registry, let user, let reason):
            "\(registry): access refused for user \(quoted(user)): \(reason); log in with: svmm registry login \(registry)"
        case .untrustedRealm(let registry, let realm, let reason):
            "\(registry): refusing to get a token from \(quoted(realm)): \(reason)"
        case .badRedirect(let url, let reason):
            "\(url): \(reason)"
        case .unreachable(let place, let reason):
            "\(place): \(reason)"
        case .tls(let place, let reason):
            "\(place): TLS: \(reason)"
        case .timedOut(let place, let what):
            "\(place): \(what)"
        case .rateLimited(let place, let seconds):
            "\(place): too many requests" + (seconds.map { "; try again in \($0) seconds" } ?? "; try again later")
        case .failed(let what, let status, let reason):
            "\(what): the registry answers \(status): \(reason)"
        case .invalidAnswer(let what, let reason):
            "\(what): \(reason)"
        case .image(let error):
            "\(error)"
        case .cancelled:
            "cancelled"
        }
    }
}

/// Text from outside for a message: one line, not endless, no control characters, which terminals obey.
func shown(_ text: some StringProtocol) -> String {
    let limit = 300
    var shown = ""
    for scalar in text.unicodeScalars.prefix(limit) {
        let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        shown += isControl ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return shown + (text.unicodeScalars.count > limit ? "…" : "")
}

func quoted(_ text: some StringProtocol) -> String {
    "\"\(shown(text))\""
}
