import LinuxSystem

/// The read-only ext4 file system that an image's layers make, in one file, shared by all containers of the image.
///
/// Why not erofs, which is made for this: its mkfs (erofs-utils 1.5) reads no tar but a directory with the right owners, which
/// takes root and every file twice. For 206 MB of Debian it makes 200 MB, or 132 MB compressed with LZ4 that each guest undoes
/// again; here it is 217 MB, of which everything is written once, while the layers are read.
///
/// While this object lives, the file cannot be collected as garbage: keep it until the container that uses it is recorded.
public final class RootImage: Sendable {
    public let identifier: Identifier
    /// The file; open it read-only.
    public let path: String
    private let locked: LockedFile

    init(_ identifier: Identifier, path: String, _ locked: LockedFile) {
        self.identifier = identifier
        self.path = path
        self.locked = locked
    }

    /// Which layers, in which order, in which version of the format: 64 hexadecimal digits.
    public struct Identifier: Hashable, Sendable, CustomStringConvertible {
        public let description: String

        /// Changes whenever the same layers would make another file.
        static let formatVersion = 1

        /// Of the root image of images with this configuration.
        public init(_ configuration: ImageConfiguration) {
            let lines = ["svmm root image \(Self.formatVersion)"] + configuration.rootfs.diffIDs.map(\.description)
            description = Digest(of: lines.joined(separator: "\n").utf8).hex
        }

        /// Parses `description`; nil for what is none.
        public init?(_ text: String) {
            guard text.utf8.count == 64, text.utf8.allSatisfy(Digest.isDigit) else { return nil }
            description = text
        }

        init?(fileName: String) {
            guard fileName.hasSuffix(".ext4") else { return nil }
            self.init(String(fileName.dropLast(5)))
        }

        var fileName: String { "\(description).ext4" }
    }
}

extension ImageStore {
    /// Where the root image with this identifier is, whether it exists or not.
    public func path(of root: RootImage.Identifier) -> String { "\(roots)/\(root.fileName)" }

    /// The image's root image, when it has been made and is whole. What replaces one that is not gets its name.
    public func existingRootImage(_ identifier: RootImage.Identifier) throws(ImageError) -> RootImage? {
        let path = path(of: identifier)
        guard let locked = try LockedFile.shared(path), try locked.isWholeExt4(path) else { return nil }
        return RootImage(identifier, path: path, locked)
    }
}
