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
    /// What one number stands for.
    struct Prefix: Hashable {
        var device: UInt64
        var inodeHigh: UInt64
    }

    private struct State {
        var numbers: [Prefix: UInt64] = [:]
        var next: UInt64 = 0
    }

    private let state = Mutex(State())
    private static let inodeBits: UInt64 = 48
    static let maximumPrefixes = 0xFFFF

    /// The path of the synthetic directory of shares, which no file has.
    static let sharesPath: UInt64 = 0xFFFF << inodeBits

    /// Throws `.outOfRange` when there are more file systems than prefixes.
    func path(device: UInt64, inode: UInt64) throws(Errno) -> UInt64 {
        let key = Prefix(device: device, inodeHigh: inode >> Self.inodeBits)
        let number: UInt64? = state.withLock { state in
            if let number = state.numbers[key] { return number }
            guard state.next < Self.maximumPrefixes else { return nil }
            defer { state.next += 1 }
            state.numbers[key] = state.next
            return state.next
        }
        guard let number else { throw .outOfRange }
        return number << Self.inodeBits | inode & ((1 << Self.inodeBits) - 1)
    }

    /// In the order of their numbers.
    var all: [Prefix] {
        state.withLock { $0.numbers.sorted { $0.value < $1.value }.map(\.key) }
    }

    /// Numbers the first prefixes as another server did; nothing when there are numbers already.
    func begin(with prefixes: [Prefix]) {
        state.withLock { state in
            guard state.next == 0 else { return }
            for prefix in prefixes {
                // One that comes twice keeps its first number; those behind it keep theirs.
                if state.numbers[prefix] == nil { state.numbers[prefix] = state.next }
                state.next += 1
            }
        }
    }

    func qid(_ attributes: FileAttributes) throws(Errno) -> Qid {
        Qid(type: Qid.type(FileType(mode: attributes.mode)), version: Qid.version(attributes),
            path: try path(device: attributes.device, inode: attributes.inode))
    }
}
