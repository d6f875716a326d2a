import CommandSupport

/// Rows of text with aligned columns, two spaces between them.
struct TextTable {
    private var rows: [[String]] = []

    init(_ heading: [String]?) {
        if let heading { rows.append(heading) }
    }

    /// Adds a row, in which nothing steers a terminal or ends the line.
    mutating func add(_ row: [String]) {
        rows.append(row.map { visible($0) })
    }

    /// Adds a row of a template, which has made its fields visible and may end lines itself.
    mutating func add(ofTemplate line: String) {
        rows.append(line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init))
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
