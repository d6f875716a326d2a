import LinuxSystem

/// This process's /proc/self/fd once more, for what its links say: where files are that are open as paths only.
///
/// Held as a descriptor, it works after the process has given up /proc. The kernel keeps up with renames, also of directories on
/// the way, whoever makes them.
struct DescriptorNames: ~Copyable, Sendable {
    private let directory: FileDescriptor

    init() throws(Errno) {
        directory = try .open("/proc/self/fd", [.pathOnly, .directory])
    }

    /// The absolute path of the file now. Of one whose name is gone, the last path, with " (deleted)" behind it, which may be
    /// another file's: whoever goes there has to look whether it is the same. Throws `.nameTooLong` for 4096 bytes or more.
    func path(of file: borrowing FileDescriptor) throws(Errno) -> [UInt8] {
        // The link itself is opened, not followed.
        let link = try directory.open(try FileName("\(file.raw)".utf8), [.pathOnly, .noFollow])
        return try link.linkTarget()
    }
}
