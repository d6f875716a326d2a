/// Where images come from that are not in a registry, as a person names it.
public enum ImageSource: Hashable, Sendable, CustomStringConvertible {
    /// An OCI image layout: a directory. The name is what its index.json calls the image; nil for the only one there is.
    case ociDirectory(path: String, name: String?)
    /// A tar file, plain or compressed with gzip or zstd, that holds an OCI image layout or what `docker save` writes: which of
    /// the two is seen from what is in it. `-` is standard input.
    case archive(path: String, name: String?)

    /// Parses `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]` and `docker-archive:FILE[:NAME]`; nil for a text that has no such
    /// prefix and thus is an image's name.
    public init?(_ text: String) {
        for (prefix, isArchive) in [("oci:", false), ("oci-archive:", true), ("docker-archive:", true)] {
            guard text.hasPrefix(prefix) else { continue }
            let rest = text.dropFirst(prefix.utf8.count)
            // The name may hold colons and slashes, the path may not hold a colon.
            let colon = rest.firstIndex(of: ":")
            let path = String(rest[..<(colon ?? rest.endIndex)])
            let name = colon.map { String(rest[rest.index(after: $0)...]) }.flatMap { $0.isEmpty ? nil : $0 }
            self = isArchive ? .archive(path: path, name: name) : .ociDirectory(path: path, name: name)
            return
        }
        return nil
    }

    public var description: String {
        switch self {
        case .ociDirectory(let path, let name): "oci:\(path)" + (name.map { ":\($0)" } ?? "")
        case .archive(let path, let name): path + (name.map { ":\($0)" } ?? "")
        }
    }

    var path: String {
        switch self {
        case .ociDirectory(let path, _), .archive(let path, _): path
        }
    }

    var name: String? {
        switch self {
        case .ociDirectory(_, let name), .archive(_, let name): name
        }
    }
}

/// What `ImageStore.save` writes.
public enum ArchiveFormat: String, Sendable, CaseIterable {
    /// A tar of an OCI image layout. Blobs are the same bytes as in the store.
    case ociArchive = "oci-archive"
    /// What `docker save` writes and `docker load` reads: layers uncompressed.
    case dockerArchive = "docker-archive"
    /// An OCI image layout in a directory.
    case ociDirectory = "oci-dir"
}
