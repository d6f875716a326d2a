import LinuxSystem

/// A session as `NinePSession.saved` leaves it, for a server in another process: the fids, where their files are below the shares,
/// and how they are open. It holds no descriptors and no contents of files.
///
/// Encoded it is at most `maximumSize` bytes with the limits that `NinePOptions` has of its own.
public struct SavedSession: Sendable, Equatable {
    /// msize, as agreed by Tversion: 0 before, else 4096...1048576.
    var messageSize: UInt32
    /// What the upper bits of qid paths stand for, in the order of the numbers: the client goes on to know files by them.
    var prefixes: [PathNumbers.Prefix]
    /// Of the share that the server had added last.
    var lastSerial: UInt64
    /// All shares of the server, in the order of their serials.
    var shares: [SavedShare]
    /// In the order of their numbers.
    var fids: [SavedFid]

    /// 32 MiB, in bytes. Places that would take more are not saved: their fids are stale in the restored session.
    public static let maximumSize = 32 << 20
}

/// A share, and the places in it that fids name or that lead to those.
struct SavedShare: Sendable, Equatable {
    var name: FileName
    /// Its number in listings; 0 in a server of one share.
    var serial: UInt64
    /// The file system of its root.
    var device: UInt64
    /// A tree in preorder: the parent of a place is the last one before it that is one level higher. No path is written twice, and
    /// a restore opens no directory twice.
    var places: [SavedPlace]
}

struct SavedPlace: Sendable, Equatable {
    /// 0 for the share's root, one more for every component of the path below it.
    var depth: UInt16
    /// The last component; nil for the root.
    var name: FileName?
    /// nil where no fid names the place.
    var identity: FileIdentity?
}

struct SavedFid: Sendable, Equatable {
    enum Place: Sendable, Equatable {
        /// The synthetic directory.
        case shares
        case file(share: Int, place: Int)
        /// Answered ESTALE.
        case gone
    }

    enum Use: Sendable, Equatable {
        case none
        /// - Parameters:
        ///   - flags: bits of `OpenFlags.kept`.
        ///   - holdsPlace: the fid has made the file, so that one descriptor is both its place and the open file.
        case open(flags: UInt32, holdsPlace: Bool)
        case listing
        /// The value of an extended attribute that is being read.
        case value([UInt8])
    }

    var number: UInt32
    /// The user that attached.
    var user: UInt32
    var place: Place
    var use: Use

    static func gone(_ number: UInt32, user: UInt32) -> SavedFid {
        SavedFid(number: number, user: user, place: .gone, use: .none)
    }
}
