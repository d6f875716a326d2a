import LinuxSystem

/// 16 random bytes that tell one snapshot from every other.
public struct SnapshotIdentifier: Hashable, Sendable, CustomStringConvertible {
    /// Bytes in one.
    public static let count = 16
    public let bytes: [UInt8]

    /// nil unless there are 16 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.count else { return nil }
        self.bytes = bytes
    }

    /// A new one, of the kernel's random numbers.
    public static func random() throws(Errno) -> SnapshotIdentifier {
        SnapshotIdentifier(unchecked: try randomBytes(count))
    }

    private init(unchecked bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// 32 hexadecimal digits.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// Which snapshot a difference builds on.
public struct SnapshotBase: Equatable, Sendable {
    /// The longest path, in bytes (PATH_MAX without the NUL).
    public static let pathLimit = 4095

    /// Absolute: that of the base's directory.
    public let path: String
    public let identifier: SnapshotIdentifier

    public init(path: String, identifier: SnapshotIdentifier) {
        self.path = path
        self.identifier = identifier
    }
}

/// What a restored machine has come from: what it takes to save it as a difference.
public struct SnapshotOrigin: Equatable, Sendable {
    public let base: SnapshotBase
    /// How many snapshots the base is made of: 1 for one that stands alone.
    public let depth: Int
    /// The file that the guest's memory maps: that of the last base.
    let memory: FileStatus.Identity
}
