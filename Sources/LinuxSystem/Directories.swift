import CLinux
import Glibc

/// Makes a directory. The corresponding C function is `mkdir`.
public func makeDirectory(_ path: String, permissions: UInt32) throws(Errno) {
    _ = try once { mkdir(path, permissions) }
}

/// Removes an empty directory. The corresponding C function is `rmdir`.
public func removeDirectory(_ path: String) throws(Errno) {
    _ = try once { rmdir(path) }
}

/// The names in a directory, without `.` and `..`; those that are not UTF-8 are left out. The corresponding C function is
/// `readdir`.
public func names(inDirectory path: String) throws(Errno) -> [String] {
    guard let directory = opendir(path) else { throw .current }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(validatingCString: $0) }
        }
        if let name, name != ".", name != ".." { names.append(name) }
    }
    return names
}

extension FileDescriptor {
    /// Takes the lock of the open file or directory for this open file alone; false when another has it. It ends with the open
    /// file. The corresponding C function is `flock` (LOCK_EX, LOCK_NB).
    public func tryLockWhole() throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try retryingInterrupts { flock(raw, LOCK_EX | LOCK_NB) }
            return true
        } catch {
            guard error == .again else { throw error }
            return false
        }
    }

    /// Gives up the lock of `tryLockWhole`, also for other descriptors of the same open file. The C function is `flock` (LOCK_UN).
    public func unlockWhole() {
        _ = flock(raw, LOCK_UN)
    }
}
