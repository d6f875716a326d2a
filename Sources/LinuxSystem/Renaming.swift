import CLinux
import Glibc

extension FileDescriptor {
    /// Renames within the open directory; throws `.exists` where the new name is taken. The corresponding C function is
    /// `renameat2` (RENAME_NOREPLACE, Linux 3.15).
    ///
    /// Where the file system cannot do that, the name is looked for before `renameat` is called, which of what comes between
    /// the two replaces no more than an empty directory by a directory, or a file by a file.
    public func renameWithoutReplacing(_ name: FileName, as newName: FileName) throws(Errno) {
        do throws(Errno) {
            _ = try once { renameat2(raw, name.characters, raw, newName.characters, UInt32(RENAME_NOREPLACE)) }
        } catch {
            guard error == .invalidArgument || error == .notImplemented else { throw error }
            guard try !contains(newName) else { throw .exists }
            _ = try once { svmm_renameat(raw, name.characters, raw, newName.characters) }
        }
    }

    /// Whether the open directory has this name, whatever it stands for. The corresponding C function is `statx`.
    public func contains(_ name: FileName) throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try attributes(of: name)
            return true
        } catch {
            guard error == .noEntry else { throw error }
            return false
        }
    }
}

/// The absolute path without links and dots that leads to the same file. Throws `.invalidArgument` where it is not UTF-8. The
/// corresponding C function is `realpath`.
public func canonicalPath(_ path: String) throws(Errno) -> String {
    guard let resolved = realpath(path, nil) else { throw .current }
    defer { free(resolved) }
    guard let text = String(validatingCString: resolved) else { throw .invalidArgument }
    return text
}
