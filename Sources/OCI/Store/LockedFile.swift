import LinuxSystem

/// An open file whose flock(2) is held until the object ends.
///
/// The store's way to know what is in use: whoever writes a file holds its lock alone, whoever relies on one shares its
/// lock, and whoever collects garbage takes only what it gets the lock of. A process that dies lets go of its locks.
final class LockedFile: Sendable {
    let file: FileDescriptor

    private init(_ file: consuming FileDescriptor) {
        self.file = file
    }

    // Closing the file is not enough: a child that another thread has forked, and that has yet to become its program, has it too.
    deinit { try? file.unlock() }

    /// Opens the file, makes it where it is missing, and locks it for this object alone. nil when somebody else has it and
    /// `waiting` is false.
    static func exclusive(_ path: String, waiting: Bool) throws(ImageError) -> LockedFile? {
        do throws(Errno) {
            while true {
                let file = try FileDescriptor.open(path, [.readWrite, .create, .noFollow])
                if waiting {
                    try file.waitForLock(shared: false)
                } else if try !file.tryLock(shared: false) {
                    return nil
                }
                // Whoever had the lock may have removed the file or given it its final name meanwhile.
                if try isStill(file, at: path) { return LockedFile(file) }
            }
        } catch {
            throw ImageError(path, error)
        }
    }

    /// Opens a file for reading and shares its lock; nil when there is none and it is not made either. Waits while somebody is
    /// about to remove it.
    static func shared(_ path: String, creating: Bool = false) throws(ImageError) -> LockedFile? {
        do throws(Errno) {
            while true {
                let file = try FileDescriptor.open(path, creating ? [.readOnly, .create, .noFollow] : [.readOnly, .noFollow])
                try file.waitForLock(shared: true)
                if try isStill(file, at: path) { return LockedFile(file) }
            }
        } catch {
            if error == .noEntry { return nil }
            throw ImageError(path, error)
        }
    }

    /// Removes a file unless somebody has it locked, or it is no regular file; returns the bytes of disk that it had, 0 when it stays.
    static func removeUnused(_ path: String) throws(ImageError) -> UInt64 {
        do throws(Errno) {
            let file = try FileDescriptor.open(path, [.readOnly, .noFollow, .nonBlocking])
            guard try file.status().kind == .regular, try file.tryLock(shared: false), try isStill(file, at: path) else { return 0 }
            let size = try file.attributes().blocks * 512
            try removeFile(path)
            return max(size, 1)
        } catch {
            if error == .noEntry { return 0 }
            throw ImageError(path, error)
        }
    }

    /// Removes the name that this file was opened by, unless it is another file's by now.
    func removeName(_ path: String) {
        // One that cannot be removed is found again by the next who looks.
        if (try? Self.isStill(file, at: path)) == true { try? removeFile(path) }
    }

    private static func isStill(_ file: borrowing FileDescriptor, at path: String) throws(Errno) -> Bool {
        let identity = try file.status().identity
        do throws(Errno) {
            return try fileStatus(at: path, followingLinks: false).identity == identity
        } catch {
            guard error == .noEntry else { throw error }
            return false
        }
    }
}
