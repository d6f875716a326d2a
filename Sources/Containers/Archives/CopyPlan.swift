import LinuxSystem

/// Where something is copied to.
struct CopyPlace: Equatable {
    enum Kind {
        case directory, other, missing
    }

    var path: String
    var kind: Kind
}

extension CopyPlace {
    /// On the host, links followed.
    static func host(_ path: String) throws(ContainerError) -> CopyPlace {
        do throws(Errno) {
            return CopyPlace(path: path, kind: try fileStatus(at: path).kind == .directory ? .directory : .other)
        } catch {
            guard error == .noEntry else { throw .file(path, error) }
            return CopyPlace(path: path, kind: .missing)
        }
    }
}

/// What copying does, by podman's and Docker's rules.
struct CopyPlan: Equatable {
    /// The directory that the archive is unpacked into.
    var directory: String
    /// What the copied file or directory is called there; nil: its contents alone are copied.
    var name: String?
    /// The same directory, where it has to be made first.
    var newDirectory: String?

    init(source: String, isDirectory: Bool, destination: CopyPlace) throws(ContainerError) {
        let takesContents = source.hasSuffix("/.") || source == "."
        let (_, base) = Self.split(source)
        switch (isDirectory, destination.kind) {
        case (_, .directory):
            directory = destination.path
            name = takesContents && isDirectory ? nil : base
            if name?.isEmpty ?? false { name = nil }
        case (true, .missing):
            directory = destination.path
            newDirectory = Self.trimmed(destination.path)
        case (true, .other): throw .invalid("\(destination.path): a file, expected a directory to copy \(source) to")
        case (false, .missing) where destination.path.hasSuffix("/"):
            throw .invalid("\(destination.path): no such directory; it has to exist before a file is copied into it")
        case (false, _): (directory, name) = Self.split(destination.path)
        }
    }

    /// A path's directory and last component, slashes and dots at the end left out.
    static func split(_ path: String) -> (directory: String, name: String) {
        let whole = trimmed(path)
        guard let slash = whole.lastIndex(of: "/") else { return (".", whole == "." ? "" : whole) }
        let name = String(whole[whole.index(after: slash)...])
        return (slash == whole.startIndex ? "/" : String(whole[..<slash]), name)
    }

    private static func trimmed(_ path: String) -> String {
        var path = path
        while path.utf8.count > 1, path.hasSuffix("/") || path.hasSuffix("/.") { path.removeLast(path.hasSuffix("/.") ? 2 : 1) }
        return path.isEmpty ? "/" : path
    }
}
