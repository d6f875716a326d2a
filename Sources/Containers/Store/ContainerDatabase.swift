import FoundationEssentials
import GRDB
import LinuxSystem

/// Which containers there are: a SQLite database in the store, shared by all that use the store at the same time. Any thread.
///
/// What is committed survives the kill of any process; a power failure may take the last commits, and leaves the rest whole.
final class ContainerDatabase: Sendable {
    let path: String
    let queue: DatabaseQueue

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
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
            Self.keepLog(database)
        }
        let (path, options) = (path, configuration)
        try Self.prepareFile(path)
        queue = try Self.asStore(path) { try DatabaseQueue(path: path, configuration: options) }
        guard try version() != Self.version else { return }
        let file = try onFile(lock) { () throws(Errno) in
            let file = try FileDescriptor.open(lock, [.readWrite, .create])
            try file.waitForLock(shared: false)
            return file
        }
        try make()
        try? file.unlock()
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

    /// What may have to be done about a container by whoever comes by.
    struct Care: OptionSet, Sendable {
        let rawValue: Int
        /// It is removed when it has ended.
        static let temporary = Care(rawValue: 1)
        /// It is removed when it was never started and nobody is about to.
        static let beingRun = Care(rawValue: 2)
    }

    /// A container that was run has been started.
    func forgetRun(_ identifier: String) throws(ContainerError) {
        try Self.asStore(path) {
            try queue.writeWithoutTransaction {
                try $0.execute(sql: "UPDATE container SET care = care & ~2 WHERE id = ?", arguments: [identifier])
            }
        }
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
}
