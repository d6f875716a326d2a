import LinuxSystem
import Synchronization

/// What the protocol calls a file: type[1] version[4] path[8].
struct Qid: Equatable {
    static let directory: UInt8 = 0x80  // P9_QTDIR
    static let symbolicLink: UInt8 = 0x02  // P9_QTSYMLINK
    static let file: UInt8 = 0  // P9_QTFILE

    var type: UInt8
    /// Of a regular file: another number when the contents are others; Linux caches pages by it, and caches none for 0.
    /// Of every other file: the same number for as long as the file exists.
    var version: UInt32
    /// The same number for as long as the file exists, and no other file's.
    var path: UInt64

    static func type(_ type: FileType?) -> UInt8 {
        switch type {
        case .directory: directory
        case .symbolicLink: symbolicLink
        default: file
        }
    }

    static func version(_ attributes: FileAttributes) -> UInt32 {
        let isRegular = FileType(mode: attributes.mode) == .regular
        let time = isRegular ? attributes.modified : attributes.created ?? FileTime(seconds: 0, nanoseconds: 0)
        var mixed = UInt64(bitPattern: time.seconds) &* 1_000_000_007 ^ UInt64(time.nanoseconds)
        if isRegular { mixed ^= attributes.size &* 0x9E37_79B9_7F4A_7C15 }
        mixed = (mixed ^ (mixed >> 32)) &* 0xBF58_476D_1CE4_E5B9
        return max(UInt32(truncatingIfNeeded: mixed >> 32), 1)
    }
}

/// Makes one number of a file system and an inode number, so that files of several file systems below one share are
/// never taken for each other.
///
/// The upper 16 bits of a path stand for the file system and the upper 16 bits of the inode number together, in the
/// order they are met; the lower 48 bits are the inode number's own. So the first file system's paths are its inode
/// numbers.
final class PathNumbers: Sendable {
    private struct Prefix: Hashable {
        let device: UInt64
        let inodeHigh: UInt64
    }

    private let prefixes = Mutex<[Prefix: UInt64]>([:])
    private static let inodeBits: UInt64 = 48
    private static let maximumPrefixes = 0xFFFF

    /// The path of the synthetic directory of shares, which no file has.
    static let sharesPath: UInt64 = 0xFFFF << inodeBits

    /// Throws `.outOfRange` when there are more file systems than prefixes.
    func path(device: UInt64, inode: UInt64) throws(Errno) -> UInt64 {
        let key = Prefix(device: device, inodeHigh: inode >> Self.inodeBits)
        let number: UInt64? = prefixes.withLock { prefixes in
            if let number = prefixes[key] { return number }
            guard prefixes.count < Self.maximumPrefixes else { return nil }
            let number = UInt64(prefixes.count)
            prefixes[key] = number
            return number
        }
        guard let number else { throw .outOfRange }
        return number << Self.inodeBits | inode & ((1 << Self.inodeBits) - 1)
    }

    func qid(_ attributes: FileAttributes) throws(Errno) -> Qid {
        Qid(type: Qid.type(FileType(mode: attributes.mode)), version: Qid.version(attributes),
            path: try path(device: attributes.device, inode: attributes.inode))
    }
}
