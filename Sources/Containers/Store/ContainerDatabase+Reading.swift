import FoundationEssentials
import GRDB

/// What is known of a container without its configuration, which may be damaged.
struct ContainerIdentity: Sendable, Equatable {
    var identifier: String
    var name: String
}

extension ContainerRecord {
    var identity: ContainerIdentity { ContainerIdentity(identifier: identifier, name: name) }
}

extension ContainerDatabase {
    /// All containers, the oldest first. Such as are damaged are left out; `onDamage` hears of each.
    func all(onDamage: (ContainerError) -> Void = { _ in }) throws(ContainerError) -> [ContainerRecord] {
        var records: [ContainerRecord] = []
        for row in try rows("SELECT * FROM container ORDER BY created, id") {
            do throws(ContainerError) {
                records.append(try decode(row))
            } catch {
                onDamage(error)
            }
        }
        return records
    }

    /// The container with this name, or this identifier or beginning of one.
    func find(_ text: String) throws(ContainerError) -> ContainerRecord {
        try decode(try row(text))
    }

    /// The container with exactly this identifier, whatever the names of others are.
    func record(_ identifier: String) throws(ContainerError) -> ContainerRecord {
        guard let row = try rows("SELECT * FROM container WHERE id = ?", [identifier]).first else { throw .notFound(identifier) }
        return try decode(row)
    }

    /// As `find`, also of a container whose configuration is damaged.
    func identity(_ text: String) throws(ContainerError) -> ContainerIdentity {
        let row = try row(text)
        return ContainerIdentity(identifier: self.text(row, "id") ?? "", name: self.text(row, "name") ?? "")
    }

    /// Of all containers, damaged ones too: name, digest of the image's manifest, and name of its root file system.
    func imageUse() throws(ContainerError) -> [(name: String, digest: String, root: String)] {
        try rows("SELECT name, digest, root FROM container ORDER BY created, id").map { row in
            (text(row, "name") ?? "", text(row, "digest") ?? "", text(row, "root") ?? "")
        }
    }

    func identifiers() throws(ContainerError) -> [String] {
        try rows("SELECT id FROM container").compactMap { text($0, "id") }
    }

    /// The containers of which something may have to be done.
    func cares() throws(ContainerError) -> [(identifier: String, care: Care)] {
        try rows("SELECT id, care FROM container WHERE care <> 0").compactMap { row in
            guard let identifier = text(row, "id"), let care = number(row, "care") else { return nil }
            return (identifier, Care(rawValue: Int(care)))
        }
    }

    private func row(_ text: String) throws(ContainerError) -> Row {
        if let row = try rows("SELECT * FROM container WHERE name = ? OR id = ? ORDER BY name <> ?", [text, text, text]).first { return row }
        guard ContainerIdentifier.isPrefix(text) else { throw .notFound(text) }
        let found = try rows("SELECT * FROM container WHERE substr(id, 1, length(?)) = ? LIMIT 3", [text, text])
        guard found.count <= 1 else {
            throw ContainerError(.notFound, "\(text): several containers have ids that begin so, expected more digits")
        }
        guard let row = found.first else { throw .notFound(text) }
        return row
    }

    private func rows(_ sql: String, _ arguments: [String] = []) throws(ContainerError) -> [Row] {
        try Self.asStore(path) { try queue.read { try Row.fetchAll($0, sql: sql, arguments: StatementArguments(arguments)) } }
    }

    // MARK: Values

    // A column has the type that was written, whatever the table says; a subscript of the row would end the process.
    private func text(_ row: Row, _ column: String) -> String? {
        (row[column] as DatabaseValue?).flatMap { String.fromDatabaseValue($0) }
    }

    private func number(_ row: Row, _ column: String) -> Int64? {
        (row[column] as DatabaseValue?).flatMap { Int64.fromDatabaseValue($0) }
    }

    private func decode(_ row: Row) throws(ContainerError) -> ContainerRecord {
        let identifier = text(row, "id") ?? ""
        guard ContainerIdentifier.isWhole(identifier), let name = text(row, "name"),
              let created = number(row, "created"), let image = text(row, "image"), let digest = text(row, "digest"),
              let root = text(row, "root"), let care = number(row, "care"), let configuration = text(row, "configuration"),
              let configuration = try? JSONDecoder().decode(ContainerConfiguration.self, from: Data(configuration.utf8)) else {
            throw .failed("\(path): the record of container \(ContainerIdentifier.short(identifier)) is damaged; svmm container rm it")
        }
        return ContainerRecord(identifier: identifier, name: name, created: UInt64(clamping: created), image: image, digest: digest,
                               root: root, isTemporary: Care(rawValue: Int(care)).contains(.temporary), configuration: configuration)
    }
}

extension ContainerIdentifier {
    /// Whether the text is an identifier as svmm makes them: what has no such name is nobody's container.
    static func isWhole(_ text: String) -> Bool { text.utf8.count == length && isPrefix(text) }
}
