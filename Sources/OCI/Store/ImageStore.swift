import LinuxSystem

/// The images of a user: a content-addressed OCI image layout in ROOT/images, and the root images made of them in ROOT/roots.
///
/// ```
/// ROOT/images/oci-layout, index.json   the OCI layout; names are annotations in index.json, in their full form
/// ROOT/images/blobs/ALGORITHM/HEX      manifests, configurations and layers, as they came
/// ROOT/images/partial/ALGORITHM-HEX    blobs on their way: what has come of them is used by the next attempt
/// ROOT/images/lock                     held while index.json changes and while garbage is collected
/// ROOT/roots/ID.ext4                   an image's layers as one file system; ID.ext4.partial while it is made
/// ```
///
/// Any number of processes and threads use a store at the same time. A process may end at any moment, by SIGKILL too: every
/// file gets its name when it is whole and on the disk, and what is left behind is unlocked, by which the next one knows it
/// for garbage. Calls block, for as long as disks take: an async caller makes them on a thread of its own.
public struct ImageStore: Sendable {
    /// The directory that was given, without a slash at its end.
    public let root: String

    var images: String { "\(root)/images" }
    var partials: String { "\(root)/images/partial" }
    var lockPath: String { "\(root)/images/lock" }
    var indexPath: String { "\(root)/images/index.json" }
    /// Where root images and the templates of writable disks are.
    public var roots: String { "\(root)/roots" }

    /// Opens the store, makes what is missing of it, with directories for this user only (0700), and removes the temporary
    /// files of processes that are gone.
    public init(root: String) throws(ImageError) {
        var root = root
        while root.count > 1, root.hasSuffix("/") { root.removeLast() }
        self.root = root
        try Self.makeDirectories(root)
        for directory in [images, "\(images)/blobs", partials, roots] {
            try Self.makeDirectories(directory)
        }
        for algorithm in Digest.Algorithm.allCases {
            try Self.makeDirectories("\(images)/blobs/\(algorithm.rawValue)")
        }
        try completeLayout()
        try sweep()
    }

    /// Where the blob is, when the store has it.
    public func path(of digest: Digest) -> String {
        "\(images)/blobs/\(digest.algorithm.rawValue)/\(digest.hex)"
    }

    private func completeLayout() throws(ImageError) {
        let version = "\(images)/oci-layout"
        guard !Self.exists(version) || !Self.exists(indexPath) else { return }
        try whileLocked { () throws(ImageError) in
            if !Self.exists(version) {
                try replace(version, with: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
            }
            if !Self.exists(indexPath) { try writeIndex([]) }
        }
    }

    /// Removes the files of processes that were killed, of those that nobody can go on with.
    private func sweep() throws(ImageError) {
        for (directory, isTemporary) in [(partials, Self.isUnnamedPartial), (roots, Self.isUnfinishedRoot)] {
            for name in try Self.names(directory) where isTemporary(name) {
                _ = try LockedFile.removeUnused("\(directory)/\(name)")
            }
        }
    }

    static let unnamedPrefix = "unnamed-"
    static let writablePrefix = "writable-"

    static func isUnnamedPartial(_ name: String) -> Bool {
        name.hasPrefix(unnamedPrefix) && isNumber(name.dropFirst(unnamedPrefix.utf8.count))
    }

    /// Whether the name is one that blobs on their way have.
    static func isPartial(_ name: String) -> Bool {
        if isUnnamedPartial(name) { return true }
        let parts = name.split(separator: "-", maxSplits: 1)
        return parts.count == 2 && (try? Digest("\(parts[0]):\(parts[1])")) != nil
    }

    static func isUnfinishedRoot(_ name: String) -> Bool { name.hasSuffix(unfinishedSuffix) && isRoot(name) }

    /// Whether the name is one that root images and templates have, finished or not.
    static func isRoot(_ name: String) -> Bool {
        let name = name.hasSuffix(unfinishedSuffix) ? String(name.dropLast(unfinishedSuffix.utf8.count)) : name
        if RootImage.Identifier(fileName: name) != nil { return true }
        guard name.hasPrefix(writablePrefix), name.hasSuffix(".ext4") else { return false }
        let parts = name.dropFirst(writablePrefix.utf8.count).dropLast(5).split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { isNumber($0) }
    }

    private static let unfinishedSuffix = ".partial"

    private static func isNumber(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

// Helpers of the store's other parts.
extension ImageStore {
    /// Runs `body` while no other process or thread changes names or collects garbage.
    func whileLocked<Result>(_ body: () throws(ImageError) -> Result) throws(ImageError) -> Result {
        let lock = try LockedFile.exclusive(lockPath, waiting: true)
        defer { withExtendedLifetime(lock) {} }
        return try body()
    }

    /// Puts bytes in place of a file's, all at once and durably. The store's lock is held: the temporary name is one.
    func replace(_ path: String, with bytes: [UInt8]) throws(ImageError) {
        let temporary = "\(path).new"
        do throws(Errno) {
            let file = try FileDescriptor.open(temporary, [.writeOnly, .create, .truncate, .noFollow])
            try write(bytes, to: file)
            try file.synchronize()
            try renameFile(temporary, to: path)
            try synchronizeDirectory(images)
        } catch {
            try? removeFile(temporary)
            throw ImageError(path, error)
        }
    }

    private func write(_ bytes: [UInt8], to file: borrowing FileDescriptor) throws(Errno) {
        let raw = file.raw
        try bytes.withRawBytes { bytes throws(Errno) in try writeAll(raw, bytes) }
    }

    static func exists(_ path: String) -> Bool {
        (try? fileStatus(at: path, followingLinks: false)) != nil
    }

    static func names(_ directory: String) throws(ImageError) -> [String] {
        do throws(Errno) {
            return try LinuxSystem.names(inDirectory: directory)
        } catch {
            throw ImageError(directory, error)
        }
    }

    private static func makeDirectories(_ path: String) throws(ImageError) {
        do throws(Errno) {
            try LinuxSystem.makeDirectories(path, permissions: 0o700)
        } catch {
            throw ImageError(path, error)
        }
    }
}
