/// The name of an image in a registry: `REGISTRY/REPOSITORY[:TAG][@DIGEST]`, completed as Docker does.
///
/// `debian` is `docker.io/library/debian:latest`. A first component with a dot or a colon in it, or `localhost`, is a
/// registry; without one it is docker.io, where names of one component lie in `library`.
public struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    /// HOST or HOST:PORT; `docker.io` for Docker Hub, whose registry answers at registry-1.docker.io.
    public let registry: String
    /// One or more components with `/` between them.
    public let repository: String
    /// nil only where there is a digest.
    public let tag: String?
    public let digest: Digest?

    public static let defaultRegistry = "docker.io"
    public static let defaultTag = "latest"

    init(registry: String, repository: String, tag: String?, digest: Digest?) {
        self.registry = registry
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// The full form, which is parsed to the same reference.
    public var description: String { name + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "") }

    /// Registry and repository.
    public var name: String { "\(registry)/\(repository)" }

    /// The form people type: without `docker.io/` and `library/`.
    public var familiar: String {
        guard registry == Self.defaultRegistry else { return description }
        let library = "library/"
        let inLibrary = repository.hasPrefix(library) && !repository.dropFirst(library.count).contains("/")
        let short = inLibrary ? String(repository.dropFirst(library.count)) : repository
        return short + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// What a registry is asked for: the digest where there is one, or the tag.
    public var identifier: String { digest?.description ?? tag ?? Self.defaultTag }

    /// The same repository with another tag, and no digest.
    public func tagged(_ tag: String) throws(ImageError) -> ImageReference {
        try Self.check(tag: tag, of: "\(name):\(tag)")
        return ImageReference(registry: registry, repository: repository, tag: tag, digest: nil)
    }

    /// The same repository with a digest, and no tag.
    public func pinned(to digest: Digest) -> ImageReference {
        ImageReference(registry: registry, repository: repository, tag: nil, digest: digest)
    }
}
