import LinuxSystem

/// What makes a file this one and no other, beyond the life of the process.
struct FileIdentity: Sendable, Equatable {
    var device: UInt64
    var inode: UInt64
    /// Inode numbers are given again, soon on some file systems; no two files of one number were made at one time. nil where the
    /// file system does not keep it.
    var created: FileTime?
    /// The S_IFMT bits of the mode.
    var type: UInt32

    /// Whether the file that was found is this one.
    ///
    /// Many file systems get another device number whenever they are mounted: a file that was in the file system of its share's
    /// root may be in that of the root now. Only where there is a time of creation: an inode number alone says too little then.
    func isSame(as found: FileIdentity, rootDevice: UInt64, rootDeviceNow: UInt64) -> Bool {
        guard inode == found.inode, created == found.created, type == found.type else { return false }
        if device == found.device { return true }
        return created != nil && device == rootDevice && found.device == rootDeviceNow
    }
}

extension FileIdentity {
    init(_ attributes: FileAttributes) {
        device = attributes.device
        inode = attributes.inode
        created = attributes.created
        type = attributes.mode & FileType.mask
    }
}
