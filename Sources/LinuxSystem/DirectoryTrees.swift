import CLinux
import Glibc

/// Makes a directory, and those above it that are missing, with the same permissions. The corresponding C function is `mkdir`.
public func makeDirectories(_ path: String, permissions: UInt32) throws(Errno) {
    do throws(Errno) {
        try makeDirectory(path, permissions: permissions)
    } catch {
        switch error {
        case .exists: return
        case .noEntry:
            guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { throw error }
            try makeDirectories(String(path[..<slash]), permissions: permissions)
            do throws(Errno) {
                try makeDirectory(path, permissions: permissions)
            } catch {
                // Somebody else has made it meanwhile.
                guard error == .exists else { throw error }
            }
        default: throw error
        }
    }
}

/// Removes a file or a directory with all that is in it; what is not there any more is no error. Symbolic links are removed, not followed.
/// The corresponding C functions are `unlinkat` and `getdents64`.
public func removeTree(_ path: String) throws(Errno) {
    do throws(Errno) {
        try removeFile(path)
    } catch {
        switch error {
        case .noEntry: return
        // What unlink(2) says of directories; POSIX has the other one.
        case .isDirectory, .notPermitted:
            let directory = try FileDescriptor.open(path, [.readOnly, .directory, .noFollow])
            try directory.removeContents(depth: 0)
            do throws(Errno) {
                try removeDirectory(path)
            } catch {
                guard error == .noEntry else { throw error }
            }
        default: throw error
        }
    }
}

extension FileDescriptor {
    /// Deeper than any directory that svmm makes.
    private static let maximumDepth = 64

    fileprivate func removeContents(depth: Int) throws(Errno) {
        guard depth < Self.maximumDepth else { throw .nameTooLong }
        for name in try entryNames() {
            do throws(Errno) {
                try remove(name, isDirectory: false)
            } catch {
                if error == .noEntry { continue }
                guard error == .isDirectory || error == .notPermitted else { throw error }
                let child = try open(name, [.readOnly, .directory])
                try child.removeContents(depth: depth + 1)
                try remove(name, isDirectory: true)
            }
        }
    }

    /// The names in the open directory, without `.` and `..`.
    public func entryNames() throws(Errno) -> [FileName] {
        var names: [FileName] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            let count = try readDirectory(into: buffer)
            guard count > 0 else { return names }
            forEachDirectoryRecord(in: UnsafeRawBufferPointer(rebasing: buffer[..<count])) { record in
                if !record.isDotOrDotDot, let name = try? FileName(record.name) { names.append(name) }
                return true
            }
        }
    }
}
