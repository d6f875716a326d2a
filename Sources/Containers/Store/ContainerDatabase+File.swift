import GRDB
import GRDBSQLite
import LinuxSystem

extension ContainerDatabase {
    /// Makes the file for this user only, and SQLite gives `-wal` and `-shm` its mode: the environments of containers hold secrets.
    /// Those that others may read, as older versions made them, are closed to them.
    ///
    /// Nothing here opens the file: when any descriptor of it is closed, the process loses all its POSIX locks of it, those that
    /// SQLite holds for other stores of this process too.
    static func prepareFile(_ path: String) throws(ContainerError) {
        try onFile(path) { () throws(Errno) in
            if (try? fileStatus(at: path)) == nil { try makeFile(path) }
            for name in [path, path + "-wal", path + "-shm"] { try closeToOthers(name) }
        }
    }

    private static func makeFile(_ path: String) throws(Errno) {
        let (folder, name) = path.lastIndex(of: "/").map { (String(path[...$0]), path[path.index(after: $0)...]) } ?? (".", path[...])
        do throws(Errno) {
            try FileDescriptor.open(folder, [.pathOnly, .directory]).makeNode(FileName(name.utf8), .regular, permissions: 0o600)
        } catch {
            // Another process made it meanwhile.
            guard error == .exists else { throw error }
        }
    }

    private static func closeToOthers(_ path: String) throws(Errno) {
        guard let file = try? FileDescriptor.open(path, [.pathOnly, .noFollow]) else { return }
        let attributes = try file.attributes()
        guard FileType(mode: attributes.mode) == .regular, attributes.user == CurrentProcess.user, attributes.mode & 0o077 != 0 else { return }
        try DescriptorDirectory().setPermissions(of: file, 0o600)
    }

    /// Lets `-wal` and `-shm` stay when the last process closes the database: on a full disk they could not be made again, and
    /// without them nothing could be removed to free some of it.
    static func keepLog(_ database: Database) {
        var isOn: Int32 = 1
        // An SQLite without it works as well, while there is room.
        _ = sqlite3_file_control(database.sqliteConnection, nil, SQLITE_FCNTL_PERSIST_WAL, &isOn)
    }

    /// Calls `body`; its errors name the database.
    static func asStore<Result>(_ path: String, _ body: () throws -> Result) throws(ContainerError) -> Result {
        do {
            return try body()
        } catch let error as ContainerError {
            throw error
        } catch let error as DatabaseError where isNoSpace(error, path) {
            throw .file(path, .noSpace)
        } catch let error as DatabaseError {
            throw .failed("\(path): \(error.message ?? "error \(error.resultCode.rawValue)") (SQLite)")
        } catch {
            throw .failed("\(path): \(error)")
        }
    }

    /// SQLite says "disk I/O error" of much that a full disk makes fail, and does not say why: `-shm` that cannot grow, and writes
    /// that only the file system's own state tells from those of a broken disk.
    static func isNoSpace(_ error: DatabaseError, _ path: String) -> Bool {
        switch error.extendedResultCode {
        case .SQLITE_IOERR_SHMSIZE: return true
        case .SQLITE_IOERR_WRITE, .SQLITE_IOERR_TRUNCATE, .SQLITE_IOERR_FSYNC, .SQLITE_IOERR_SHMOPEN, .SQLITE_IOERR_SHMMAP:
            guard let file = try? FileDescriptor.open(path, .pathOnly), let status = try? file.fileSystemStatus() else { return false }
            return min(status.availableBlocks, status.freeBlocks) * UInt64(status.blockSize) < 1 << 20
        default: return error.resultCode == .SQLITE_FULL
        }
    }
}
