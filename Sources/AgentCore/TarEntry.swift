/// One member of a tar archive, without its contents.
public struct TarEntry: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        case file, directory, fifo
        /// Targets are what the archive says, to be trusted by nobody.
        case symbolicLink([UInt8])
        /// To another member, by its name.
        case hardLink([UInt8])
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
    }

    public struct Attribute: Equatable, Sendable {
        public var name: [UInt8]
        public var value: [UInt8]

        public init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// As in the archive: may be absolute, or contain "..".
    public var name: [UInt8]
    public var kind: Kind
    /// The lower twelve bits of st_mode.
    public var mode: UInt32
    public var user: UInt32
    public var group: UInt32
    /// Bytes of contents that follow.
    public var size: UInt64
    /// Seconds since 1970, and nanoseconds.
    public var time: Int64
    public var nanoseconds: UInt32
    /// Extended attributes of the file.
    public var attributes: [Attribute]

    public init(name: [UInt8], kind: Kind, mode: UInt32, user: UInt32 = 0, group: UInt32 = 0, size: UInt64 = 0, time: Int64 = 0,
                nanoseconds: UInt32 = 0, attributes: [Attribute] = []) {
        self.name = name
        self.kind = kind
        self.mode = mode
        self.user = user
        self.group = group
        self.size = size
        self.time = time
        self.nanoseconds = nanoseconds
        self.attributes = attributes
    }
}

/// The format's sizes (POSIX.1-2008, pax).
public enum Tar {
    public static let blockSize = 512
    /// What ends an archive.
    public static let end = [UInt8](repeating: 0, count: 2 * blockSize)
    /// The most that a member's extended header may have.
    public static let maximumExtension = 1 << 20

    /// Bytes that fill up the last block of so many.
    public static func padding(_ size: UInt64) -> Int {
        Int((512 - size % 512) % 512)
    }
}
