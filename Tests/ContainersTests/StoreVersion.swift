import GRDB

enum StoreVersion {
    static func set(_ path: String, _ version: Int) throws {
        try DatabaseQueue(path: path).writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = \(version)") }
    }
}
