import GRDB

enum StoreVersion {
    static func set(_ path: String, _ version: Int) throws { try execute(path, "PRAGMA user_version = \(version)") }

    /// What SQLite says when there is no room.
    static var fullDisk: [any Error] {
        [DatabaseError(resultCode: .SQLITE_FULL), DatabaseError(resultCode: .SQLITE_IOERR_SHMSIZE)]
    }

    /// And of what else it may be.
    static var otherFailure: any Error { DatabaseError(resultCode: .SQLITE_IOERR_READ) }

    static func execute(_ path: String, _ sql: String) throws {
        try DatabaseQueue(path: path).writeWithoutTransaction { try $0.execute(sql: sql) }
    }
}
