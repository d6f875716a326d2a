/// A directory of the host that the guest can mount by 9p; with a name, also a single regular file.
public struct ShareDescription: Equatable, Sendable {
    /// The directory, or the file.
    public var path: String
    /// The 9p device's tag: what the guest mounts.
    public var tag: String
    /// Where the device has a directory of shares: the share's name in it. nil: the device is for this share alone.
    public var name: String?
    public var readOnly: Bool
    public var ownership: ShareOwnership
    /// Whether the guest may make device nodes, which are such on the host, too (not with `mapped`, where they are plain files
    /// there). Nobody opens them through the share.
    public var allowsDevices: Bool

    public init(
        path: String, tag: String, name: String? = nil, readOnly: Bool = false, ownership: ShareOwnership = .automatic,
        allowsDevices: Bool = false
    ) {
        self.path = path
        self.tag = tag
        self.name = name
        self.readOnly = readOnly
        self.ownership = ownership
        self.allowsDevices = allowsDevices
    }

    /// Bytes of a tag, and of a name.
    public static let tagLengths = 1...255
}

/// Who owns the files of a share, as the guest sees it and as the host keeps it.
public enum ShareOwnership: Equatable, Sendable {
    /// `passthrough` for root, `squash` for everybody else.
    case automatic
    case passthrough
    case mapped
    /// Everything belongs to this user and group, or to whoever asks.
    case squash(user: UInt32?, group: UInt32?)
}
