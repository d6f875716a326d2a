/// Rows of text with aligned columns, two spaces between them.
struct TextTable {
    private var rows: [[String]] = []

    init(_ heading: [String]?) {
        if let heading { rows.append(heading) }
    }

    mutating func add(_ row: [String]) {
        rows.append(row)
    }

    /// The lines, without spaces at their ends.
    var lines: [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, text) in row.enumerated() {
                line += column + 1 == row.count ? text : text + String(repeating: " ", count: widths[column] - text.count + 2)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }
}
