/// The requests of 9P2000.L (Linux: include/net/9p/9p.h, enum p9_msg_t). A reply's number is its request's plus one.
enum MessageType: UInt8 {
    case statfs = 8
    case lopen = 12
    case lcreate = 14
    case symlink = 16
    case mknod = 18
    case rename = 20
    case readlink = 22
    case getattr = 24
    case setattr = 26
    case xattrwalk = 30
    case xattrcreate = 32
    case readdir = 40
    case fsync = 50
    case lock = 52
    case getlock = 54
    case link = 70
    case mkdir = 72
    case renameat = 74
    case unlinkat = 76
    case version = 100
    case auth = 102
    case attach = 104
    case flush = 108
    case walk = 110
    case read = 116
    case write = 118
    case clunk = 120
    case remove = 122

    /// Rlerror.
    static let errorReply: UInt8 = 7
}

/// Sizes and numbers of the protocol.
enum Limits {
    /// size[4] type[1] tag[2]
    static let headerSize = 7
    /// Rlerror: the header and ecode[4]. Every reply buffer has room for it.
    static let errorReplySize = 11
    /// Rread and Rreaddir before their data: the header and count[4].
    static let dataReplyHeaderSize = 11
    /// Twrite before its data: the header, fid[4], offset[8] and count[4].
    static let writeHeaderSize = 23
    /// What Linux takes off msize for the headers around data (P9_IOHDRSZ).
    static let transferHeaderSize = 24
    /// The largest request without data that is read: room for sixteen names of 255 bytes, or a link and its target.
    static let requestSize = 8192
    /// The largest reply without data.
    static let replySize = 8192
    /// Names in one Twalk (P9_MAXWELEM).
    static let walkNames = 16
    /// P9_NOFID
    static let noFid = UInt32.max
    /// P9_NONUNAME, and the same for groups.
    static let noUser = UInt32.max
    static let versionName = Array("9P2000.L".utf8)
    static let unknownVersionName = Array("unknown".utf8)
    /// The largest value of an extended attribute (XATTR_SIZE_MAX), and of their list (XATTR_LIST_MAX).
    static let attributeSize = 65536
}

/// Bits of Tgetattr's mask (P9_GETATTR_…).
enum GetattrMask {
    /// Everything up to and with the blocks.
    static let basic: UInt64 = 0x7FF
    static let created: UInt64 = 0x800
}

/// Bits of Tsetattr's mask (P9_SETATTR_…).
enum SetattrMask {
    static let mode: UInt32 = 0x1
    static let user: UInt32 = 0x2
    static let group: UInt32 = 0x4
    static let size: UInt32 = 0x8
    static let accessed: UInt32 = 0x10
    static let modified: UInt32 = 0x20
    static let changed: UInt32 = 0x40
    static let accessedSet: UInt32 = 0x80
    static let modifiedSet: UInt32 = 0x100
}

/// Bits of Tlopen's and Tlcreate's flags (P9_DOTL_…); those that are not listed mean nothing to a server.
enum OpenFlags {
    static let accessMode: UInt32 = 0o3
    static let writeOnly: UInt32 = 0o1
    static let exclusive: UInt32 = 0o200
    static let truncate: UInt32 = 0o1000
    static let append: UInt32 = 0o2000
    static let directory: UInt32 = 0o200000
    /// What the host's open(2) is given: the access mode, O_TRUNC, O_APPEND, O_DSYNC and O_SYNC.
    static let forHost: UInt32 = kept | truncate
    /// What is true of the open file from then on.
    static let kept: UInt32 = accessMode | append | 0o10000 | 0o4000000
}

/// Numbers of Tlock and Tgetlock (P9_LOCK_…).
enum LockNumber {
    static let shared: UInt8 = 0
    static let exclusive: UInt8 = 1
    static let unlock: UInt8 = 2
    static let flagBlock: UInt32 = 1
    static let success: UInt8 = 0
    static let blocked: UInt8 = 1
    static let error: UInt8 = 2
}
