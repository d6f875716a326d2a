import CLinux
import Glibc

extension OpenMode {
    /// Names the file without opening it: for `attributes`, as a directory to look into, to reopen it.
    public static let pathOnly = OpenMode(rawValue: Int32(SVMM_O_PATH.rawValue))
    /// A symbolic link is not followed.
    public static let noFollow = OpenMode(rawValue: Int32(SVMM_O_NOFOLLOW.rawValue))
    /// Only a directory is opened.
    public static let directory = OpenMode(rawValue: Int32(SVMM_O_DIRECTORY.rawValue))
}

// A file is named by an open directory and one name in it: no call below resolves a path of more than one component,
// and none follows a symbolic link.
extension FileDescriptor {
    /// Opens what has this name in the open directory. The corresponding C function is `openat2` (RESOLVE_BENEATH,
    /// RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS; Linux 5.6).
    public func open(_ name: FileName, _ mode: OpenMode, permissions: UInt32 = 0) throws(Errno) -> FileDescriptor {
        let flags = UInt64(UInt32(bitPattern: mode.rawValue | O_CLOEXEC))
        let resolve = UInt64(SVMM_RESOLVE_BELOW.rawValue)
        return FileDescriptor(owning: try retryingInterrupts {
            svmm_openat2(raw, name.characters, flags, UInt64(permissions), resolve)
        })
    }

    /// The corresponding C function is `mkdirat`.
    public func makeDirectory(_ name: FileName, permissions: UInt32) throws(Errno) {
        _ = try once { mkdirat(raw, name.characters, permissions) }
    }

    /// Makes a file of any type but directory and symbolic link; the numbers are a device's. The corresponding C
    /// function is `mknodat`.
    public func makeNode(
        _ name: FileName, _ type: FileType, permissions: UInt32, major: UInt32 = 0, minor: UInt32 = 0
    ) throws(Errno) {
        let device = svmm_device_number(major, minor)
        _ = try once { mknodat(raw, name.characters, type.rawValue | permissions, dev_t(device)) }
    }

    /// The corresponding C function is `symlinkat`.
    public func makeSymbolicLink(_ name: FileName, to target: LinkTarget) throws(Errno) {
        _ = try once { symlinkat(target.characters, raw, name.characters) }
    }

    /// Renames, also into another open directory of the same file system, in place of what has the new name. The
    /// corresponding C function is `renameat`.
    public func rename(_ name: FileName, into directory: borrowing FileDescriptor, as newName: FileName) throws(Errno) {
        _ = try once { svmm_renameat(raw, name.characters, directory.raw, newName.characters) }
    }

    /// Removes the name of a file that is no directory, or of an empty directory. The corresponding C function is
    /// `unlinkat`.
    public func remove(_ name: FileName, isDirectory: Bool) throws(Errno) {
        _ = try once { unlinkat(raw, name.characters, isDirectory ? Int32(SVMM_AT_REMOVEDIR.rawValue) : 0) }
    }

    /// What the symbolic link says that is open as a path. The corresponding C function is `readlinkat`.
    public func linkTarget() throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: LinkTarget.maximumLength + 1)
        let count = try once { bytes.withUnsafeMutableBytes { svmm_readlink_open(raw, $0.baseAddress, $0.count) } }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}

extension LinkTarget {
    /// Writes the bytes, without a NUL, into a file. The corresponding C function is `write`.
    public func write(to file: borrowing FileDescriptor) throws(Errno) {
        let raw = file.raw
        let result = characters.withUnsafeBytes { bytes -> Result<Void, Errno> in
            do throws(Errno) {
                return .success(try writeAll(raw, UnsafeRawBufferPointer(rebasing: bytes.dropLast())))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}
