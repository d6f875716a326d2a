import FoundationEssentials
import GRDB
import LinuxSystem
import Networks

/// Which networks there are, and which addresses containers have on them: a SQLite database in the store, shared by all that use the store
/// at the same time. Any thread.
///
/// As with `ContainerDatabase`, what is committed survives the kill of any process.
final class NetworkDatabase: Sendable {
    let path: String
    private let queue: DatabaseQueue

    private static let version = 1

    /// Opens the database, and makes it if there is none. For who holds the lock of the networks, where there is none.
    init(path: String) throws(ContainerError) {
        self.path = path
        var configuration = Configuration()
        configuration.busyMode = .timeout(30)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
            ContainerDatabase.keepLog(database)
        }
        let options = configuration
        try ContainerDatabase.prepareFile(path)
        queue = try ContainerDatabase.asStore(path) { try DatabaseQueue(path: path, configuration: options) }
        let found = try read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
        guard found <= Self.version else {
            throw .failed("\(path): of a newer svmm (version \(found), expected \(Self.version)); use that one, or another --root")
        }
        if found < Self.version { try make() }
    }

    private func make() throws(ContainerError) {
        try ContainerDatabase.asStore(path) {
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = WAL")
                try database.inTransaction(.immediate) {
                    // Another process may have been faster.
                    guard try Int.fetchOne(database, sql: "PRAGMA user_version") == 0 else { return .commit }
                    try database.execute(sql: """
                        CREATE TABLE network (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, settings TEXT NOT NULL);
                        CREATE TABLE lease (
                            container TEXT NOT NULL, network TEXT NOT NULL, position INTEGER NOT NULL, address4 TEXT, address6 TEXT,
                            mac BLOB NOT NULL, active INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (container, network)
                        );
                        CREATE TABLE fact (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
                        PRAGMA user_version = \(Self.version);
                        """)
                    return .commit
                }
            }
        }
    }

    func read<Value>(_ body: (Database) throws -> Value) throws(ContainerError) -> Value {
        try ContainerDatabase.asStore(path) { try queue.read(body) }
    }

    /// All of it or nothing.
    func write<Value>(_ body: (Database) throws -> Value) throws(ContainerError) -> Value {
        try ContainerDatabase.asStore(path) {
            try queue.writeWithoutTransaction { database in
                var result: Value?
                try database.inTransaction(.immediate) {
                    result = try body(database)
                    return .commit
                }
                guard let result else { throw DatabaseError(resultCode: .SQLITE_ABORT) }
                return result
            }
        }
    }

    // MARK: Networks

    /// All networks, by name. Such as are damaged are left out; `onDamage` hears of each.
    func networks(onDamage: (ContainerError) -> Void = { _ in }) throws(ContainerError) -> [Network] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT id, name, settings FROM network ORDER BY name").compactMap { row in
                if let network = Self.network(row) { return network }
                onDamage(.failed("\(path): the record of network \(Self.text(row, "name") ?? "") is damaged; svmm network rm it"))
                return nil
            }
        }
    }

    /// Adds the network that `body` makes, which is given the others; where there is one of that name already, that one is the result.
    func insert(
        name: String, _ body: ([Network]) throws(ContainerError) -> Network
    ) throws(ContainerError) -> (network: Network, isNew: Bool) {
        try write { database in
            let others = try Row.fetchAll(database, sql: "SELECT id, name, settings FROM network").compactMap(Self.network)
            if let old = others.first(where: { $0.name == name }) { return (old, false) }
            guard try Row.fetchOne(database, sql: "SELECT id FROM network WHERE name = ?", arguments: [name]) == nil else {
                throw ContainerError.failed("\(path): the record of network \(name) is damaged; svmm network rm it")
            }
            let network = try body(others)
            let settings = String(decoding: try JSONEncoder().encode(network), as: UTF8.self)
            try database.execute(sql: "INSERT INTO network VALUES (?, ?, ?)", arguments: [network.identifier, network.name, settings])
            return (network, true)
        }
    }

    /// Takes a network out, with what is remembered of containers on it.
    func delete(name: String) throws(ContainerError) {
        try write { database in
            try database.execute(sql: "DELETE FROM lease WHERE network IN (SELECT id FROM network WHERE name = ?)", arguments: [name])
            try database.execute(sql: "DELETE FROM network WHERE name = ?", arguments: [name])
        }
    }

    /// Names and identifiers, of damaged ones too.
    func names() throws(ContainerError) -> [(name: String, identifier: String)] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT name, id FROM network ORDER BY name").map { row in
                (Self.text(row, "name") ?? "", Self.text(row, "id") ?? "")
            }
        }
    }

    // MARK: Facts

    func fact(_ key: String) throws(ContainerError) -> String? {
        try read { try String.fetchOne($0, sql: "SELECT value FROM fact WHERE key = ?", arguments: [key]) }
    }

    func setFact(_ key: String, _ value: String) throws(ContainerError) {
        try write { database in try Self.setFact(database, key, value) }
    }

    static func setFact(_ database: Database, _ key: String, _ value: String) throws {
        try database.execute(sql: "INSERT INTO fact VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", arguments: [key, value])
    }

    // MARK: Values

    // A column has the type that was written, whatever the table says; a subscript of the row would end the process.
    static func text(_ row: Row, _ column: String) -> String? { (row[column] as DatabaseValue?).flatMap { String.fromDatabaseValue($0) } }

    private static func network(_ row: Row) -> Network? {
        guard let settings = text(row, "settings"), let network = try? JSONDecoder().decode(Network.self, from: Data(settings.utf8)),
              network.isWhole, network.identifier == text(row, "id"), network.name == text(row, "name") else { return nil }
        return network
    }
}
