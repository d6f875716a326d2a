import FoundationEssentials
import GRDB
import LinuxSystem

/// Which containers there are: a SQLite database in the store, shared by all that use the store at the same time. Any thread.
///
/// What is committed survives the kill of any process; a power failure may take the last commits, and leaves the rest whole.
final class ContainerDatabase: Sendable {
    private let path: String
    private let queue: DatabaseQueue

    private static let version = 1
    /// Seconds to wait for others, who never take long.
    private static let patience: Double = 30

    /// Opens the database, and makes it if there is none.
    ///
    /// - Parameter lock: path of a file that is locked meanwhile.
    init(path: String, lock: String) throws(ContainerError) {
        self.path = path
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.patience)
        configuration.prepareDatabase { database in try database.execute(sql: "PRAGMA synchronous = NORMAL") }
        let (path, options) = (path, configuration)
        queue = try Self.asStore(path) { try DatabaseQueue(path: path, configuration: options) }
        guard try version() != Self.version else { return }
        let file = try onFile(lock) { () throws(Errno) in
            let file = try FileDescriptor.open(lock, [.readWrite, .create])
            try file.waitForLock(shared: false)
            return file
        }
        try make()
        _ = file.raw
    }

    private func version() throws(ContainerError) -> Int {
        let version = try Self.asStore(path) {
            try queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
        }
        guard version <= Self.version else {
            throw .failed("\(path): of a newer svmm (version \(version), expected \(Self.version)); use that one, or another --root")
        }
        return version
    }

    /// Nobody else does this at the same time.
    private func make() throws(ContainerError) {
        guard try version() < Self.version else { return }
        try Self.asStore(path) {
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = WAL")
                try database.inTransaction(.immediate) {
                    try database.execute(sql: """
                        CREATE TABLE container (
                            id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, image TEXT NOT NULL,
                            digest TEXT NOT NULL, root TEXT NOT NULL, care INTEGER NOT NULL, configuration TEXT NOT NULL
                        );
                        CREATE TABLE fact (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
                        PRAGMA user_version = \(Self.version);
                        """)
                    return .commit
                }
            }
        }
    }

    // MARK: Containers

    /// Adds a container. Throws `nameInUse` where another has the name.
    ///
    /// - Parameter isBeingRun: whether it is started at once, and is nobody's if that is cut short.
    func insert(_ record: ContainerRecord, isBeingRun: Bool) throws(ContainerError) {
        let configuration = try encode(record.configuration)
        let care = (record.isTemporary ? Care.temporary : []).union(isBeingRun ? .beingRun : [])
        try Self.asStore(path) {
            try queue.writeWithoutTransaction { database in
                try database.inTransaction(.immediate) {
                    if let other = try String.fetchOne(database, sql: "SELECT id FROM container WHERE name = ?", arguments: [record.name]) {
                        throw Self.nameInUse(record.name, other)
                    }
                    try database.execute(
                        sql: "INSERT INTO container VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        arguments: [record.identifier, record.name, Int64(clamping: record.created), record.image, record.digest, record.root,
                                    care.rawValue, configuration])
                    return .commit
                }
            }
        }
    }

    static func nameInUse(_ name: String, _ identifier: String) -> ContainerError {
        ContainerError(.nameInUse, "name '\(name)': in use by container \(ContainerIdentifier.short(identifier)); remove or rename that one, or choose another name")
    }

    /// Gives a container another name. Throws `nameInUse` where another has it.
    func rename(_ identifier: String, to name: String) throws(ContainerError) {
        try Self.asStore(path) {
            try queue.writeWithoutTransaction { database in
                try database.inTransaction(.immediate) {
                    let other = try String.fetchOne(
                        database, sql: "SELECT id FROM container WHERE name = ? AND id <> ?", arguments: [name, identifier])
                    if let other { throw Self.nameInUse(name, other) }
                    try database.execute(sql: "UPDATE container SET name = ? WHERE id = ?", arguments: [name, identifier])
                    return .commit
                }
            }
        }
    }

    /// Takes a container out; nothing happens when there is none.
    func delete(_ identifier: String) throws(ContainerError) {
        try Self.asStore(path) {
            try queue.writeWithoutTransaction {
                try $0.execute(sql: "DELETE FROM container WHERE id = ?", arguments: [identifier])
            }
        }
    }

    /// All containers, the oldest first.
    func all() throws(ContainerError) -> [ContainerRecord] {
        try records("SELECT * FROM container ORDER BY created, id")
    }

    /// What may have to be done about a container by whoever comes by.
    struct Care: OptionSet, Sendable {
        let rawValue: Int
        /// It is removed when it has ended.
        static let temporary = Care(rawValue: 1)
        /// It is removed when it was never started and nobody is about to.
        static let beingRun = Care(rawValue: 2)
    }

    /// The containers of which something may have to be done.
    func cares() throws(ContainerError) -> [(identifier: String, care: Care)] {
        let rows = try Self.asStore(path) { try queue.read { try Row.fetchAll($0, sql: "SELECT id, care FROM container WHERE care <> 0") } }
        return rows.map { ($0["id"], Care(rawValue: $0["care"])) }
    }

    /// A container that was run has been started.
    func forgetRun(_ identifier: String) throws(ContainerError) {
        try Self.asStore(path) {
            try queue.writeWithoutTransaction {
                try $0.execute(sql: "UPDATE container SET care = care & ~2 WHERE id = ?", arguments: [identifier])
            }
        }
    }

    func identifiers() throws(ContainerError) -> [String] {
        try Self.asStore(path) { try queue.read { try String.fetchAll($0, sql: "SELECT id FROM container") } }
    }

    /// The container with this name, or this identifier or beginning of one.
    func find(_ text: String) throws(ContainerError) -> ContainerRecord {
        if let record = try records("SELECT * FROM container WHERE name = ? OR id = ? ORDER BY name <> ?", [text, text, text]).first {
            return record
        }
        guard ContainerIdentifier.isPrefix(text) else { throw .notFound(text) }
        let found = try records("SELECT * FROM container WHERE substr(id, 1, length(?)) = ? LIMIT 3", [text, text])
        guard found.count <= 1 else {
            throw ContainerError(.notFound, "\(text): several containers have ids that begin so, expected more digits")
        }
        guard let record = found.first else { throw .notFound(text) }
        return record
    }

    private func records(_ sql: String, _ arguments: [String] = []) throws(ContainerError) -> [ContainerRecord] {
        let rows = try Self.asStore(path) {
            try queue.read { try Row.fetchAll($0, sql: sql, arguments: StatementArguments(arguments)) }
        }
        var records: [ContainerRecord] = []
        for row in rows { records.append(try decode(row)) }
        return records
    }

    // MARK: Facts

    func fact(_ key: String) throws(ContainerError) -> String? {
        try Self.asStore(path) {
            try queue.read { try String.fetchOne($0, sql: "SELECT value FROM fact WHERE key = ?", arguments: [key]) }
        }
    }

    func setFact(_ key: String, _ value: String) throws(ContainerError) {
        try Self.asStore(path) {
            try queue.writeWithoutTransaction {
                try $0.execute(sql: "INSERT INTO fact VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                               arguments: [key, value])
            }
        }
    }

    // MARK: Values

    private func encode(_ configuration: ContainerConfiguration) throws(ContainerError) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(configuration), as: UTF8.self)
        } catch {
            throw .failed("\(path): the configuration cannot be written: \(error)")
        }
    }

    private func decode(_ row: Row) throws(ContainerError) -> ContainerRecord {
        let identifier: String = row["id"]
        let text: String = row["configuration"]
        let configuration: ContainerConfiguration
        do {
            configuration = try JSONDecoder().decode(ContainerConfiguration.self, from: Data(text.utf8))
        } catch {
            throw .failed("\(path): the configuration of container \(ContainerIdentifier.short(identifier)) is damaged; svmm container rm it")
        }
        let created: Int64 = row["created"]
        return ContainerRecord(identifier: identifier, name: row["name"], created: UInt64(clamping: created), image: row["image"],
                               digest: row["digest"], root: row["root"],
                               isTemporary: Care(rawValue: row["care"]).contains(.temporary), configuration: configuration)
    }

    private static func asStore<Result>(_ path: String, _ body: () throws -> Result) throws(ContainerError) -> Result {
        do {
            return try body()
        } catch let error as ContainerError {
            throw error
        } catch let error as DatabaseError where error.resultCode == .SQLITE_FULL {
            throw .file(path, .noSpace)
        } catch let error as DatabaseError {
            throw .failed("\(path): \(error.message ?? "error \(error.resultCode.rawValue)") (SQLite)")
        } catch {
            throw .failed("\(path): \(error)")
        }
    }
}
