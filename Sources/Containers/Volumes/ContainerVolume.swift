import ContainerProtocol

/// How a volume keeps its files.
public enum VolumeKind: String, Codable, Sendable, CaseIterable {
    /// An ext4 file system in a sparse file: a disk of one container's machine at a time.
    case disk = "ext4"
    /// A directory of the host, by 9p: of any number of containers, and of the host.
    case directory = "9p"
}

/// What a new volume is to be.
public struct VolumeOptions: Codable, Sendable, Equatable {
    public var kind: VolumeKind
    /// Bytes of a disk, a multiple of 4096 in `ContainerVolume.sizes`; nil: `ContainerVolume.defaultSize`. A directory has none.
    public var size: UInt64?

    public init(kind: VolumeKind = .disk, size: UInt64? = nil) {
        self.kind = kind
        self.size = size
    }
}

/// A volume of the store: files that outlive the containers that use them.
public struct ContainerVolume: Sendable, Equatable {
    /// As `ContainerName` allows it; 64 hexadecimal digits for one that svmm has named.
    public var name: String
    public var kind: VolumeKind
    /// Nanoseconds since 1970.
    public var created: UInt64
    public var labels: [String: String]
    /// Whether it was made for one container and has no name of a user's.
    public var isAnonymous: Bool
    /// The disk image, or the directory with the files.
    public var path: String
    /// Bytes of a disk, as its image file has them now; nil: a directory.
    public var size: UInt64?

    /// Bytes of a disk that nobody has said a size for. The image is sparse: only what is written takes room.
    public static let defaultSize: UInt64 = 64 << 30
    /// What sizes disks may have, in bytes; multiples of 4096.
    public static let sizes: ClosedRange<UInt64> = 16 << 20...16 << 40 - 4096
}

/// The file `volume.json` of a volume's directory.
struct VolumeRecord: Codable, Equatable {
    static let version = 1

    var version = Self.version
    var kind: VolumeKind
    var created: UInt64
    var labels: [String: String]
    var isAnonymous: Bool
}

/// The names in a volume's directory.
enum VolumeFiles {
    static let record = "volume.json"
    static let disk = "disk.ext4"
    static let data = "data"
    /// Containers have been started with it, and none has come so far that the volume has what it gets from the image: whatever is in it is
    /// the beginning of that.
    static let filling = "filling"
    /// It has what it got from an image, or had files before: from now on it is left as it is. `filling`, renamed.
    static let used = ContainerFiles.usedVolume
}
